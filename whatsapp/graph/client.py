"""Meta's Graph API. The only module that knows its URL and version.

https://developers.facebook.com/documentation/business-messaging/whatsapp/messages/text-messages
"""

import json
import re
from dataclasses import dataclass
from typing import IO

import aiohttp
from django.conf import settings

from conversations.outbox.senders import Outbound
from runtime import http
from runtime.untrusted_json import Json, as_dict, as_text

from . import payloads
from .errors import code_as_text

GREATEST_CODE = 2**31 - 1  # of the columns that store it


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
    """Send one message and return its wamid. `media_id`: of its file, once uploaded. Raises GraphError."""
    answer = await _call("POST", f"{outbound.phone_number_id}/messages", token, json=message_body(outbound, media_id))
    messages = answer.get("messages")
    wamid = as_dict(messages[0]).get("id") if isinstance(messages, list) and messages else None
    if not isinstance(wamid, str) or not wamid:
        raise GraphError("Meta's response has no message ID", uncertain=True)
    return wamid


async def upload(phone_number_id: str, token: str, file: IO[bytes], mime_type: str, seconds: float) -> str:
    """Give Meta a file, which is read piece by piece; the answer is its id, good for 30 days. Raises GraphError.

    https://developers.facebook.com/documentation/business-messaging/whatsapp/business-phone-numbers/media
    """
    form = aiohttp.FormData({"messaging_product": "whatsapp", "type": mime_type})
    form.add_field("file", file, filename="file", content_type=mime_type)
    answer = await _call("POST", f"{phone_number_id}/media", token, seconds=seconds, data=form)
    media_id = as_text(answer.get("id"))
    if not media_id:
        raise GraphError("Meta's answer names no file", uncertain=True)
    return media_id


async def show_typing(phone_number_id: str, wamid: str, token: str) -> None:
    """Mark a customer's message as read, and show for up to 25 s that an answer is being written. Raises GraphError."""
    body: Json = {"messaging_product": "whatsapp", "status": "read", "message_id": wamid}
    await _call("POST", f"{phone_number_id}/messages", token, json=body | {"typing_indicator": {"type": "text"}})


async def get(path: str, token: str, **params: str) -> Json:
    """Read a node, `path` without the version: `get("<phone_number_id>", token, fields="…")`. Raises GraphError."""
    return await _call("GET", path, token, params=params)


def message_body(outbound: Outbound, media_id: str = "") -> Json:
    """The body of a message."""
    text: Json = {"type": "text", "text": {"body": outbound.text, "preview_url": False}}
    body: Json = {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        # A BSUID in `to` would be accepted but never delivered. We use the phone number if it's known, as Meta
        # recommends, so if Meta refuses a BSUID (131062), there's nothing else to try.
        **({"to": outbound.phone} if outbound.phone else {"recipient": outbound.user_id}),
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
    json: Json | None = None,
    data: aiohttp.FormData | None = None,
) -> Json:
    """`seconds`: a limit other than GRAPH_SECONDS."""
    try:
        response = await http.request(
            method,
            f"{settings.WHATSAPP_GRAPH_URL}/{settings.WHATSAPP_GRAPH_VERSION}/{path}",
            headers={"Authorization": f"Bearer {token}"},
            seconds=seconds or settings.GRAPH_SECONDS,
            params=params,
            json=json,
            data=data,
        )
    except http.RequestFailed as failure:
        unsent = failure.before_a_byte
        words = f"{'no connection to' if unsent else 'no response from'} Meta: {failure.detail}"
        raise GraphError(words, before_a_byte=unsent, uncertain=not unsent) from None
    return _read(response, token)


def _read(response: http.Response, token: str) -> Json:
    try:
        answer = json.loads(response.body)
    except (ValueError, RecursionError):  # JSONDecodeError, UnicodeDecodeError
        answer = None
    error = answer.get("error") if isinstance(answer, dict) else None
    if isinstance(error, dict):
        raise _refusal(error, response, token)
    if 200 <= response.status < 300 and isinstance(answer, dict):
        return answer
    # A proxy's page, not Meta's response. Below 500 it didn't forward the request; from 500 on it may have.
    raise GraphError(
        f"HTTP {response.status} that isn't Meta's JSON",
        http_status=response.status,
        retry_after=http.retry_after(response.headers),
        uncertain=not 300 <= response.status < 500,
    )


def _refusal(error: Json, response: http.Response, token: str) -> GraphError:
    details = as_dict(error.get("error_data")).get("details")
    return GraphError(
        redacted(str(details or error.get("message") or "no reason given"), token),
        code=_number(error.get("code")),
        http_status=response.status,
        retry_after=http.retry_after(response.headers),
    )


def _number(value: object) -> int | None:
    try:
        number = int(value) if isinstance(value, int | str) else None
    except ValueError:
        return None
    return number if number is not None and abs(number) <= GREATEST_CODE else None


def redacted(text: str, token: str) -> str:
    """`text`, shortened and without the token, because Meta quotes malformed ones."""
    return re.sub(r"\bEAA\w{8,}", "[token]", text.replace(token, "[token]") if token else text)[:500]
