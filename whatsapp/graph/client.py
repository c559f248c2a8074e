"""Meta's Graph API. The only module that knows its URL and version.

https://developers.facebook.com/documentation/business-messaging/whatsapp/messages/text-messages
"""

import json
import re
from typing import IO, Any

import aiohttp
from django.conf import settings

from conversations.outbox.senders import Outbound
from runtime import http

from . import payloads

GREATEST_CODE = 2**31 - 1  # of the columns that store it


class GraphError(Exception):
    """Meta refused, or didn't answer. before_a_byte: nothing was sent. uncertain: it may have been done, because there
    was no readable refusal.
    """

    def __init__(
        self,
        message: str,
        *,
        code: int | None = None,
        subcode: int | None = None,
        http_status: int | None = None,
        retry_after: float | None = None,
        uncertain: bool = False,
        before_a_byte: bool = False,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.subcode = subcode
        self.http_status = http_status
        self.retry_after = retry_after
        self.uncertain = uncertain
        self.before_a_byte = before_a_byte


class GraphClient:
    """One client per process; each call gets its own `token`. Raises GraphError."""

    async def send(self, outbound: Outbound, token: str, media_id: str = "") -> str:
        """Send one message and return its wamid. `media_id`: of its file, once uploaded."""
        answer = await self._post(f"{outbound.phone_number_id}/messages", token, message_body(outbound, media_id))
        try:
            wamid = answer["messages"][0]["id"]
        except (KeyError, IndexError, TypeError):
            wamid = None
        if not isinstance(wamid, str) or not wamid:
            raise GraphError("Meta's response has no message ID", uncertain=True)
        return wamid

    async def upload(self, phone_number_id: str, token: str, file: IO[bytes], mime_type: str, seconds: float) -> str:
        """Upload a file to Meta, in chunks, and return its ID, which is valid for 30 days.

        https://developers.facebook.com/documentation/business-messaging/whatsapp/business-phone-numbers/media
        """
        form = aiohttp.FormData({"messaging_product": "whatsapp", "type": mime_type})
        form.add_field("file", file, filename="file", content_type=mime_type)
        answer = await _call("POST", f"{phone_number_id}/media", token, seconds=seconds, data=form)
        if not isinstance(answer.get("id"), str | int) or not str(answer["id"]):
            raise GraphError("Meta's response has no file ID", uncertain=True)
        return str(answer["id"])

    async def mark_read(self, phone_number_id: str, wamid: str, token: str, typing: bool = True) -> None:
        """Mark a customer's message as read; with `typing`, also show the typing indicator for up to 25 s."""
        body: dict[str, object] = {"messaging_product": "whatsapp", "status": "read", "message_id": wamid}
        if typing:
            body["typing_indicator"] = {"type": "text"}
        await self._post(f"{phone_number_id}/messages", token, body)

    async def get(self, path: str, token: str, **params: str) -> dict[str, Any]:
        """Read a node, `path` without the version: `get("<phone_number_id>", token, fields="…")`."""
        return await _call("GET", path, token, params=params)

    async def _post(self, path: str, token: str, body: dict[str, object]) -> dict[str, Any]:
        return await _call("POST", path, token, json=body)


def message_body(outbound: Outbound, media_id: str = "") -> dict[str, object]:
    """The body of a message."""
    text: dict[str, object] = {"type": "text", "text": {"body": outbound.text, "preview_url": False}}
    body: dict[str, object] = {
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
    json: dict[str, object] | None = None,
    data: aiohttp.FormData | None = None,
) -> dict[str, Any]:
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


def _read(response: http.Response, token: str) -> dict[str, Any]:
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
    status = response.status
    refused = 300 <= status < 500
    raise GraphError(
        f"HTTP {status} that isn't Meta's JSON",
        http_status=status,
        retry_after=http.retry_after(response.headers),
        uncertain=not refused,
    )


def _refusal(error: dict[str, Any], response: http.Response, token: str) -> GraphError:
    data = error.get("error_data")
    details = data.get("details") if isinstance(data, dict) else None
    return GraphError(
        redacted(str(details or error.get("message") or "no reason given"), token),
        code=_number(error.get("code")),
        subcode=_number(error.get("error_subcode")),
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
