"""Meta's Graph API. The only module that knows its URL and version.

https://developers.facebook.com/documentation/business-messaging/whatsapp/messages/text-messages
"""

import json
import re
from dataclasses import dataclass
from typing import IO

import aiohttp
from django.conf import settings

from conversations.choices import GROUP
from conversations.outbox.senders import Outbound
from runtime import http
from runtime.processes import counters
from runtime.untrusted_json import Json, UnreadableJson, as_dict, as_list, as_text, loads, short_id, words_in

from . import payloads
from .errors import NO_CONNECTION, UNCERTAIN, code_as_text, rule_for

GREATEST_CODE = 2**31 - 1  # of the columns that store it
LONGEST_ID = 255
MOST_WORDS = 500  # of Meta's explanation, in characters


@dataclass(eq=False)
class GraphError(Exception):
    """Meta refused, or didn't answer. before_a_byte: nothing was sent. uncertain: it may have been done, because there
    was no readable refusal.
    """

    message: str
    code: int | None = None
    http_status: int | None = None
    retry_after: float | None = None
    uncertain: bool = False
    before_a_byte: bool = False

    @property
    def reason(self) -> str:
        return self.message if self.code is None else f"{code_as_text(self.code)}: {self.message}"


async def send(outbound: Outbound, token: str, media_id: str = "") -> str:
    """Send one message and return its wamid; '' if Meta accepted it without one that can be used: its status webhooks
    also bring our own ID. `media_id`: of its file, once uploaded. Raises GraphError.
    """
    try:
        body = json.dumps(message_body(outbound, media_id)).encode()
    except Exception as error:
        # Nothing was sent, and trying again wouldn't help: as if Meta had refused it.
        raise GraphError(f"Parley couldn't write the request: {type(error).__name__}", http_status=400) from error
    answer = await _call("POST", f"{outbound.phone_number_id}/messages", token, data=body)
    accepted = next((message for message in as_list(answer.get("messages")) if isinstance(message, dict)), None)
    if accepted is None:
        raise GraphError("Meta's response contains no message ID", uncertain=True)
    return short_id(accepted.get("id"))


async def upload(phone_number_id: str, token: str, file: IO[bytes], mime_type: str, seconds: float) -> str:
    """Give Meta a file, which is read piece by piece; the answer is its id, good for 30 days. Raises GraphError.

    https://developers.facebook.com/documentation/business-messaging/whatsapp/business-phone-numbers/media
    """
    form = aiohttp.FormData({"messaging_product": "whatsapp", "type": mime_type})
    form.add_field("file", file, filename="file", content_type=mime_type)
    answer = await _call("POST", f"{phone_number_id}/media", token, seconds=seconds, data=form)
    media_id = as_text(answer.get("id"))
    if not 0 < len(media_id) <= LONGEST_ID:
        raise GraphError("Meta's response contains no file ID", uncertain=True)
    return media_id


async def show_typing(phone_number_id: str, wamid: str, token: str) -> None:
    """Mark a customer's message as read, and show for up to 25 s that an answer is being written. Raises GraphError."""
    body: Json = {"messaging_product": "whatsapp", "status": "read", "message_id": wamid}
    body["typing_indicator"] = {"type": "text"}
    await _call("POST", f"{phone_number_id}/messages", token, data=json.dumps(body).encode())


async def get(path: str, token: str, **params: str) -> Json:
    """Read a node, `path` without the version: `get("<phone_number_id>", token, fields="…")`. Raises GraphError."""
    return await _call("GET", path, token, params=params)


def message_body(outbound: Outbound, media_id: str = "") -> Json:
    """The body of a message."""
    text: Json = {"type": "text", "text": {"body": outbound.text, "preview_url": False}}
    user_id = outbound.user_id or ""
    # A BSUID in `to` would be accepted but never delivered. We use the phone number if it's known, as Meta recommends,
    # so if Meta refuses a BSUID (131062), there's nothing else to try.
    recipient = {"to": outbound.phone} if outbound.phone else {"recipient": user_id}
    if user_id.startswith(GROUP):
        recipient = {"to": user_id.removeprefix(GROUP)}
    body: Json = {
        "messaging_product": "whatsapp",
        "recipient_type": "group" if user_id.startswith(GROUP) else "individual",
        **recipient,
        **(text if outbound.content is None else payloads.body(outbound.content, media_id)),
        # Comes back in status webhooks, which finds the message even if we never got the response.
        "biz_opaque_callback_data": str(outbound.message_id),
    }
    if outbound.reply_to:
        body["context"] = {"message_id": outbound.reply_to}
    return body


async def _call(
    method: str,
    path: str,
    token: str,
    *,
    seconds: float = 0,
    params: dict[str, str] | None = None,
    data: bytes | aiohttp.FormData | None = None,
) -> Json:
    """`seconds`: a limit other than GRAPH_SECONDS. `data`: bytes are JSON. Raises GraphError."""
    outcome = "ok"
    try:
        return await _request(method, path, token, seconds or settings.GRAPH_SECONDS, params, data)
    except GraphError as error:
        if error.before_a_byte:
            outcome = NO_CONNECTION.name
        else:
            outcome = (UNCERTAIN if error.uncertain else rule_for(error.code, error.http_status)).name
        raise
    finally:
        counters.count("parley_graph_calls_total", outcome=outcome)


async def _request(
    method: str,
    path: str,
    token: str,
    seconds: float,
    params: dict[str, str] | None,
    data: bytes | aiohttp.FormData | None,
) -> Json:
    content_type = {"Content-Type": "application/json"} if isinstance(data, bytes) else {}
    try:
        response = await http.request(
            method,
            f"{settings.WHATSAPP_GRAPH_URL}/{settings.WHATSAPP_GRAPH_VERSION}/{path}",
            headers={"Authorization": f"Bearer {token}", **content_type},
            seconds=seconds,
            params=params,
            data=data,
        )
    except http.RequestFailed as failure:
        answered, unsent = failure.answered, failure.before_a_byte
        if answered and 300 <= answered.status < 500:  # the status of a refusal says enough, even if the rest is lost
            return _read(answered, token)
        words = f"{'no connection to' if unsent else 'no response from'} Meta: {failure.detail}"
        raise GraphError(words, before_a_byte=unsent, uncertain=not unsent) from None
    return _read(response, token)


def _read(response: http.Response, token: str) -> Json:
    """Meta's answer, cleaned. Raises GraphError, whatever the answer is."""
    try:
        answer = loads(response.body)
    except UnreadableJson:
        answer = response.body[: MOST_WORDS * 8].decode("utf-8", "replace")
    status = response.status
    error = _error_in(answer, status)
    if not error and 200 <= status < 300 and isinstance(answer, dict):
        return answer
    if error:
        details = as_dict(error.get("error_data")).get("details")
        places = (details, *(error.get(name) for name in ("message", "error_user_msg", "title", "error_data")))
        message = next(filter(None, (_said(place, token) for place in places)), "no reason given")
    else:
        said = _said(answer, token)
        message = f"HTTP {status} that isn't Meta's JSON{': ' if said else ''}{said}"
    raise GraphError(
        message,
        code=_number(error.get("code")),
        http_status=status,
        retry_after=http.retry_after(response.headers),
        # A proxy's answer: below 500 it didn't forward the request; from 500 on it may have.
        uncertain=not error and not 300 <= status < 500,
    )


def _error_in(answer: object, status: int) -> Json:
    """Meta's error, {} if this isn't one. Some answers have it in a list."""
    found = as_dict(answer[0] if isinstance(answer, list) and answer else answer)
    given = found.get("error") or (found.get("errors") if status >= 400 else None)
    return as_dict(next(iter(as_list(given)), None))


def _number(value: object) -> int | None:
    """An error code, which may also come as text."""
    try:
        number = float(value) if isinstance(value, int | float | str) and not isinstance(value, bool) else None
    except (ValueError, OverflowError):
        return None
    return int(number) if number is not None and abs(number) <= GREATEST_CODE and number.is_integer() else None


def _said(answer: object, token: str) -> str:
    """The words in Meta's answer, without the token: Meta quotes malformed ones."""
    text = words_in(answer, 8 * MOST_WORDS)
    return re.sub(r"\bEAA\w{8,}", "[token]", text.replace(token, "[token]") if token else text)[:MOST_WORDS]
