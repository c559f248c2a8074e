"""WhatsApp as the outbox sees it: Meta's errors become `SendFailed`, by the table in `graph_errors.py`."""

import asyncio
import logging
import random
from typing import IO, cast

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from conversations.files import attachments
from conversations.outbox.contents import upload_in
from conversations.outbox.senders import Outbound, SendFailed
from runtime.database import database_sync_to_async

from . import access
from .access import SendingAccess
from .client import GraphClient, GraphError
from .errors import BAD_REQUEST, NO_CONNECTION, UNCERTAIN, Rule, rule_for, words

logger = logging.getLogger(__name__)

LONGEST_RETRY_AFTER = 600
MEDIA_ID_SECONDS = 29 * 86_400  # Meta keeps an uploaded file for 30 days


class WhatsAppSender:
    """What `MESSAGE_SENDER` names, see `conversations.outbox.senders.Sender`."""

    def __init__(self) -> None:
        self._graph = GraphClient()

    async def send(self, outbound: Outbound) -> str:
        """Send one message; the answer is its wamid. Raises SendFailed, and nothing else."""
        way = await _find(outbound.phone_number_id)
        _check(way)
        try:
            return await self._send(outbound, way)
        except SendFailed:
            raise
        except Exception as error:
            logger.exception("message %s: not foreseen while it was sent", outbound.message_id)
            raise SendFailed(
                f"It may have been sent: {type(error).__name__}.", uncertain=True, needs_person=True
            ) from error

    async def _send(self, outbound: Outbound, way: SendingAccess) -> str:
        media_id = await self._media_id(outbound, way)
        try:
            wamid = await self._graph.send(outbound, way.token, media_id)
        except GraphError as error:
            raise await _failure(way, error) from error
        if way.pauses:
            await _forget(way)
        return wamid

    async def _media_id(self, outbound: Outbound, way: SendingAccess) -> str:
        """Meta's id of the message's file, which Meta is given once; '' for a message without one of ours."""
        upload = upload_in(outbound.content)
        if outbound.media_id or outbound.attachment_id is None or upload is None:
            return outbound.media_id
        # Within the time after which a message that is being sent counts as uncertain.
        seconds = max(5, min(settings.MEDIA_SECONDS, settings.SENDING_SECONDS - settings.GRAPH_SECONDS - 5))
        try:
            with await asyncio.to_thread(attachments.opened, upload.storage_name) as file:
                given = cast("IO[bytes]", file.file), upload.mime_type, seconds
                media_id = await self._graph.upload(outbound.phone_number_id, way.token, *given)
        except FileNotFoundError as error:
            raise SendFailed("The file is not in the storage any more.", permanent=True, needs_person=True) from error
        except GraphError as error:
            # The message itself has not gone out: what became of the file does not matter.
            error.before_a_byte = error.before_a_byte or error.uncertain
            raise await _failure(way, error) from error
        except Exception as error:
            # Nothing went out yet. The bucket away, most likely.
            logger.exception("message %s: its file could not be given to Meta", outbound.message_id)
            raise SendFailed(
                f"Its file could not be given to Meta: {type(error).__name__}.", waits=_scaled(NO_CONNECTION.waits)
            ) from error
        await database_sync_to_async(attachments.uploaded)(outbound.attachment_id, media_id, MEDIA_ID_SECONDS)
        return media_id

    async def show_typing(self, phone_number_id: str, wamid: str) -> None:
        """Mark a message as read and show that an answer is being written; nothing while a pause holds."""
        way = await _find(phone_number_id)
        if way.on_hold() or way.seconds_to_wait():
            return
        if way.problem:
            raise SendFailed(way.problem, on_hold=True)
        try:
            await self._graph.mark_read(phone_number_id, wamid, way.token)
        except GraphError as error:
            # A courtesy: no pause is made for it, no attempt repeated.
            raise SendFailed(_detail(error), code=error.code, permanent=True) from error
        except Exception as error:
            raise SendFailed(f"not foreseen: {type(error).__name__}", permanent=True) from error


async def _find(phone_number_id: str) -> SendingAccess:
    try:
        return await database_sync_to_async(access.sending_access)(phone_number_id)
    except ImproperlyConfigured as error:  # a token that no key of ours opens
        raise SendFailed(str(error), on_hold=True, needs_person=True) from error
    except Exception as error:
        # Nothing went out yet. The database away, most likely.
        logger.exception("number %s: its account could not be read", phone_number_id)
        raise SendFailed(
            f"The account could not be read: {type(error).__name__}.", waits=_scaled(NO_CONNECTION.waits)
        ) from error


def _check(way: SendingAccess) -> None:
    """Raises SendFailed when nothing may be sent now."""
    if way.problem:
        raise SendFailed(f"Nothing can be sent: {way.problem}.", on_hold=True, needs_person=True)
    if held := way.on_hold():
        raise SendFailed(f"Sending is paused: {held.reason}", code=held.error_code, on_hold=True, needs_person=True)
    if seconds := way.seconds_to_wait():
        raise SendFailed("Sending is paused for a moment: too much was sent.", retry_in=_after(seconds))


async def _failure(way: SendingAccess, error: GraphError) -> SendFailed:
    """What the table says, done and put into the outbox's words."""
    rule, detail = _rule(error), _detail(error)
    if rule.on_hold:
        return await _held(way, rule, error, detail)
    if rule.pause:
        return await _throttled(way, rule, error, detail)
    if rule.tell_operators:
        reason = "our bug" if rule is BAD_REQUEST else rule.name
        logger.error("[WA] number %s: %s: %s. %s", way.phone_number_id, reason, detail, rule.advice)
    return SendFailed(
        detail,
        code=error.code,
        permanent=rule.permanent,
        uncertain=rule is UNCERTAIN,
        waits=_scaled(rule.waits),
        needs_person=rule.needs_person,
    )


def _rule(error: GraphError) -> Rule:
    if error.before_a_byte:
        return NO_CONNECTION
    return UNCERTAIN if error.uncertain else rule_for(error.code, error.http_status)


async def _held(way: SendingAccess, rule: Rule, error: GraphError, detail: str) -> SendFailed:
    reason = f"{detail}. {rule.advice}"
    try:
        first = await database_sync_to_async(access.hold)(way, reason, error.code)
    except Exception:
        # The refusal is known; without the pause the next message learns it anew.
        logger.exception("number %s: its pause could not be written", way.phone_number_id)
        first = True
    if first:
        logger.error("[WA] number %s sends nothing any more: %s", way.phone_number_id, reason)
    return SendFailed(detail, code=error.code, on_hold=True, needs_person=True)


async def _throttled(way: SendingAccess, rule: Rule, error: GraphError, detail: str) -> SendFailed:
    asked = min(error.retry_after or 0, LONGEST_RETRY_AFTER)
    try:
        seconds, first = await database_sync_to_async(access.throttle)(way, rule, detail, error.code, asked)
    except Exception:
        logger.exception("number %s: its pause could not be written", way.phone_number_id)
        seconds, first = rule.pause_seconds[0] * settings.RETRY_TIME_SCALE, False
    if first:
        level = logging.ERROR if rule.tell_operators else logging.WARNING
        logger.log(level, "[WA] number %s: %s paused: %s. %s", way.phone_number_id, rule.pause, detail, rule.advice)
    if rule.waits:
        return SendFailed(detail, code=error.code, waits=_scaled(rule.waits))
    return SendFailed(detail, code=error.code, retry_in=_after(seconds))


async def _forget(way: SendingAccess) -> None:
    try:
        await database_sync_to_async(access.forget)(way)
    except Exception:
        # It was sent; only the next pause begins longer than it need.
        logger.exception("number %s: its old pauses could not be removed", way.phone_number_id)


def _detail(error: GraphError) -> str:
    if error.uncertain:
        return f"{error.message}: it may have been sent"
    return error.message if error.code is None else f"{words(error.code)}: {error.message}"


def _scaled(waits: tuple[float, ...]) -> tuple[float, ...]:
    return tuple(wait * settings.RETRY_TIME_SCALE for wait in waits)


def _after(seconds: float) -> float:
    """Some time after the pause's end, so that not all who wait come back at the same instant."""
    return seconds + random.uniform(0, float(settings.RETRY_TIME_SCALE) * (1 + seconds / 4))  # noqa: S311
