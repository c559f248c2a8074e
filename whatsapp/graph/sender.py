"""Sends WhatsApp messages, and turns Meta's errors into `SendFailed` according to the table in `errors`."""

import asyncio
import logging
import random
from collections.abc import Mapping, Sequence
from typing import IO, cast

from django.conf import settings

from conversations.files import attachments
from conversations.outbox.contents import upload_in
from conversations.outbox.senders import Outbound, Policy, SendFailed
from runtime.batching import Batcher, GaveUp
from runtime.database import database_sync_to_async

from . import access, client
from .access import SendingAccess
from .client import GraphError
from .errors import BAD_REQUEST, NO_CONNECTION, UNCERTAIN, Rule, rule_for

logger = logging.getLogger(__name__)

LONGEST_RETRY_AFTER = 600
MEDIA_ID_SECONDS = 29 * 86_400  # Meta keeps an uploaded file for 30 days
ACCESS_SECONDS = 5  # how long to wait for an unavailable database before the message is queued again


class WhatsAppSender:
    """The default MESSAGE_SENDER. See `conversations.outbox.senders.Sender`."""

    def __init__(self) -> None:
        # Messages claimed together look up their access together.
        self._access: Batcher[str, SendingAccess] = Batcher(_read_access, ACCESS_SECONDS)

    async def send(self, outbound: Outbound) -> str:
        """Send one message and return its wamid. Only raises SendFailed."""
        way = await self._access_of(outbound.phone_number_id)
        if not way.is_of(outbound.tenant_id):
            raise SendFailed("This number belongs to another business now.", Policy.FAIL)
        _check(way)
        try:
            return await self._send(outbound, way)
        except SendFailed:
            raise
        except Exception as error:
            # Whatever is raised before the request is made becomes SendFailed, so it may have been sent.
            logger.exception("message %s: unexpected error while sending", outbound.message_id)
            raise SendFailed(f"It may have been sent: {type(error).__name__}.", Policy.UNCERTAIN) from error

    def held_numbers(self) -> Mapping[str, float | None]:
        return access.held_numbers()

    async def show_typing(self, phone_number_id: str, wamid: str) -> None:
        """Mark a message as read and show the typing indicator. Does nothing while sending is paused."""
        way = await self._access_of(phone_number_id)
        if way.on_hold() or way.seconds_to_wait():
            return
        if way.problem:
            raise SendFailed(way.problem, Policy.HOLD)
        try:
            await client.show_typing(phone_number_id, wamid, way.token)
        except GraphError as error:
            # A courtesy: failures neither cause a pause nor are retried.
            raise SendFailed(_detail(error), Policy.FAIL, code=error.code) from error
        except Exception as error:
            raise SendFailed(f"unexpected error: {type(error).__name__}", Policy.FAIL) from error

    async def _access_of(self, phone_number_id: str) -> SendingAccess:
        try:
            return await self._access.add(phone_number_id)
        except Exception as error:
            # Nothing was sent yet. Most likely, the database is unavailable.
            if not isinstance(error, GaveUp):
                logger.exception("number %s: its account couldn't be read", phone_number_id)
            raise _not_sent("The account couldn't be read", error) from error

    async def _send(self, outbound: Outbound, way: SendingAccess) -> str:
        media_id = await self._media_id(outbound, way)
        try:
            wamid = await client.send(outbound, way.token, media_id)
        except GraphError as error:
            raise await _failure(way, error) from error
        if way.pauses:
            await _forget(way)
        return wamid

    async def _media_id(self, outbound: Outbound, way: SendingAccess) -> str:
        """Meta's ID of the message's file, which is uploaded once; '' for a message without an uploaded file."""
        upload = upload_in(outbound.content)
        if outbound.media_id or outbound.attachment_id is None or upload is None:
            return outbound.media_id
        # Must end before a message that is being sent counts as uncertain.
        seconds = max(5, min(settings.MEDIA_SECONDS, settings.SENDING_SECONDS - settings.GRAPH_SECONDS - 5))
        try:
            with await asyncio.to_thread(attachments.opened, upload.storage_name) as file:
                opened = cast("IO[bytes]", file.file)
                media_id = await client.upload(outbound.phone_number_id, way.token, opened, upload.mime_type, seconds)
        except FileNotFoundError as error:
            raise SendFailed("The file is no longer in the storage.", Policy.FAIL) from error
        except GraphError as error:
            # The message itself wasn't sent, so it doesn't matter what happened to the file.
            error.before_a_byte = error.before_a_byte or error.uncertain
            raise await _failure(way, error) from error
        except Exception as error:
            # Nothing was sent yet. Most likely, the storage is unavailable.
            logger.exception("message %s: its file couldn't be uploaded", outbound.message_id)
            raise _not_sent("Its file couldn't be uploaded", error) from error
        try:
            await database_sync_to_async(attachments.uploaded)(outbound.attachment_id, media_id, MEDIA_ID_SECONDS)
        except Exception:
            # Meta has the file; if the message is sent again, it's only uploaded once more.
            logger.exception("message %s: the ID of its file couldn't be stored", outbound.message_id)
        return media_id


async def _read_access(phone_number_ids: Sequence[str]) -> Sequence[SendingAccess]:
    return await database_sync_to_async(access.sending_access)(phone_number_ids)


def _not_sent(what: str, error: Exception) -> SendFailed:
    return SendFailed(f"{what}: {type(error).__name__}.", Policy.RETRY, waits=_scaled(NO_CONNECTION.waits))


def _check(way: SendingAccess) -> None:
    """Raises SendFailed if nothing may be sent now."""
    if way.problem:
        raise SendFailed(f"Nothing can be sent: {way.problem}.", Policy.HOLD)
    if held := way.on_hold():
        raise SendFailed(f"Sending is paused: {held.reason}", Policy.HOLD, code=held.error_code)
    if seconds := way.seconds_to_wait():
        detail = "Sending is paused briefly: Meta's rate limit was reached."
        raise SendFailed(detail, Policy.WAIT, retry_in=_after(seconds))


async def _failure(way: SendingAccess, error: GraphError) -> SendFailed:
    """Apply the table: store the pause, and return what the outbox should do."""
    rule, detail = _rule(error), _detail(error)
    if rule.policy == Policy.HOLD:
        return await _held(way, rule, error, detail)
    if rule.pause:
        return await _throttled(way, rule, error, detail)
    if rule.advice:
        reason = "a bug in Parley" if rule is BAD_REQUEST else rule.name
        logger.error("[WA] number %s: %s: %s. %s", way.phone_number_id, reason, detail, rule.advice)
    return SendFailed(detail, rule.policy, code=error.code, waits=_scaled(rule.waits))


def _rule(error: GraphError) -> Rule:
    if error.before_a_byte:
        return NO_CONNECTION
    return UNCERTAIN if error.uncertain else rule_for(error.code, error.http_status)


async def _held(way: SendingAccess, rule: Rule, error: GraphError, detail: str) -> SendFailed:
    reason = f"{detail}. {rule.advice}"
    try:
        first = await database_sync_to_async(access.hold)(way, reason, error.code)
    except Exception:
        # The refusal is known; if saving the pause fails, the next message hits the same error.
        logger.exception("number %s: its pause could not be stored", way.phone_number_id)
        first = True
    if first:
        logger.error("[WA] number %s stopped sending: %s", way.phone_number_id, reason)
    return SendFailed(detail, Policy.HOLD, code=error.code)


async def _throttled(way: SendingAccess, rule: Rule, error: GraphError, detail: str) -> SendFailed:
    asked = min(error.retry_after or 0, LONGEST_RETRY_AFTER)
    try:
        seconds, first = await database_sync_to_async(access.throttle)(way, rule, detail, error.code, asked)
    except Exception:
        logger.exception("number %s: its pause could not be stored", way.phone_number_id)
        seconds, first = rule.pause_seconds[0] * settings.RETRY_TIME_SCALE, False
    if first:
        level = logging.ERROR if rule.advice else logging.WARNING
        logger.log(level, "[WA] number %s: %s paused: %s. %s", way.phone_number_id, rule.pause, detail, rule.advice)
    return SendFailed(detail, rule.policy, code=error.code, waits=_scaled(rule.waits), retry_in=_after(seconds))


async def _forget(way: SendingAccess) -> None:
    try:
        await database_sync_to_async(access.forget)(way)
    except Exception:
        # It was sent; only the next pause will be longer than necessary.
        logger.exception("number %s: its old pauses could not be removed", way.phone_number_id)


def _detail(error: GraphError) -> str:
    return f"{error.message}: it may have been sent" if error.uncertain else error.reason


def _scaled(waits: tuple[float, ...]) -> tuple[float, ...]:
    return tuple(wait * settings.RETRY_TIME_SCALE for wait in waits)


def _after(seconds: float) -> float:
    """Some time after the pause's end, so that waiting messages don't all retry at once."""
    return seconds + random.uniform(0, float(settings.RETRY_TIME_SCALE) * (1 + seconds / 4))  # noqa: S311
