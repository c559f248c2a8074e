"""Meta's Graph API: the only file with its address and version.

https://developers.facebook.com/documentation/business-messaging/whatsapp/messages/text-messages
"""

import asyncio
import re
from typing import IO, Any

import httpx2
from django.conf import settings

from conversations.outbox.senders import Outbound
from runtime.http_clients import LoopClients, retry_after

from . import payloads

# Nothing of the request was written: it was surely not received.
BEFORE_A_BYTE = (
    httpx2.ConnectError,
    httpx2.ConnectTimeout,
    httpx2.PoolTimeout,
    httpx2.ProxyError,
    httpx2.UnsupportedProtocol,
    httpx2.LocalProtocolError,
)
CONNECT_SECONDS = 5
GREATEST_CODE = 2**31 - 1  # of the columns that keep it

# All accounts share these connections; the token goes with each request. An idle connection is given up after
# 4 s, and before it is used again the pool looks whether the server has closed it meanwhile, so that a reply is
# not written into a closed one. What remains: the server's close crosses our request on the way (one trip, once
# in a connection's life). Then nobody knows, and the message is *uncertain*, which is true.
clients = LoopClients()


class GraphError(Exception):
    """Meta refused, or no answer was learned.

    before_a_byte: no connection, nothing went out. uncertain: it may have been done, no refusal was read.
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


def set_transport(transport: httpx2.AsyncBaseTransport | None) -> None:
    """Send through `transport` (tests: `httpx2.MockTransport`); None: through the network again."""
    clients.set_transport(transport)


class GraphClient:
    """One for a process: `token` decides in whose name a call is made. Raises GraphError."""

    async def send(self, outbound: Outbound, token: str, media_id: str = "") -> str:
        """Send one message; the answer is its wamid. `media_id`: of its file, which Meta has."""
        answer = await self._post(f"{outbound.phone_number_id}/messages", token, message_body(outbound, media_id))
        try:
            wamid = answer["messages"][0]["id"]
        except (KeyError, IndexError, TypeError):
            wamid = None
        if not isinstance(wamid, str) or not wamid:
            raise GraphError("Meta's answer names no message", uncertain=True)
        return wamid

    async def upload(self, phone_number_id: str, token: str, file: IO[bytes], mime_type: str, seconds: float) -> str:
        """Give Meta a file, which is read piece by piece; the answer is its id, good for 30 days.

        https://developers.facebook.com/documentation/business-messaging/whatsapp/business-phone-numbers/media
        """
        form = {"messaging_product": "whatsapp", "type": mime_type}
        files = {"file": ("file", file, mime_type)}
        answer = await _call("POST", f"{phone_number_id}/media", token, seconds=seconds, data=form, files=files)
        if not isinstance(answer.get("id"), str | int) or not str(answer["id"]):
            raise GraphError("Meta's answer names no file", uncertain=True)
        return str(answer["id"])

    async def mark_read(self, phone_number_id: str, wamid: str, token: str, typing: bool = True) -> None:
        """Mark a customer's message as read; with `typing`, show for up to 25 s that an answer is being written."""
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
        # A BSUID in `to` would be accepted and never delivered. By phone where we know it, as Meta recommends:
        # so a refusal of BSUIDs (131062) leaves nothing else to try.
        **({"to": outbound.phone} if outbound.phone else {"recipient": outbound.user_id}),
        **(text if outbound.content is None else payloads.body(outbound.content, media_id)),
        # Comes back in the statuses: how a message is found whose answer we never read.
        "biz_opaque_callback_data": str(outbound.message_id),
    }
    if outbound.reply_to:
        body["context"] = {"message_id": outbound.reply_to}
    return body


async def _call(
    method: str,
    path: str,
    token: str,
    seconds: float = 0,
    **parts: Any,
) -> dict[str, Any]:
    """`parts` of the request: `json`, `params`, or a form's `data` and `files`; `seconds`, where not GRAPH_SECONDS."""
    seconds = seconds or settings.GRAPH_SECONDS
    client = clients.current()
    try:
        request = client.build_request(
            method,
            f"{settings.WHATSAPP_GRAPH_URL}/{settings.WHATSAPP_GRAPH_VERSION}/{path}",
            headers={"Authorization": f"Bearer {token}"},
            timeout=_timeout(seconds),
            **parts,
        )
    except (httpx2.InvalidURL, ValueError) as error:
        # Without the cause, here and below: its text may hold the token.
        raise GraphError(f"no request to make: {type(error).__name__}", before_a_byte=True) from None
    return _read(await _send(client, request, seconds), token)


def _timeout(seconds: float) -> httpx2.Timeout:
    """Name, connection and TLS take less than the whole call: its end is always after the first byte."""
    connect = min(CONNECT_SECONDS, seconds / 4)
    return httpx2.Timeout(seconds, connect=connect, pool=connect)


async def _send(client: httpx2.AsyncClient, request: httpx2.Request, seconds: float) -> httpx2.Response:
    """The answer, read to its end."""
    try:
        async with asyncio.timeout(seconds):
            return await client.send(request)
    except TimeoutError:
        raise GraphError(f"no answer from Meta in {seconds:g} s", uncertain=True) from None
    except BEFORE_A_BYTE as error:
        raise GraphError(f"no connection to Meta: {type(error).__name__}", before_a_byte=True) from None
    except Exception as error:  # noqa: BLE001 - whatever it is, the request may have arrived
        raise GraphError(
            f"the connection to Meta broke before its answer: {type(error).__name__}", uncertain=True
        ) from None


def _read(response: httpx2.Response, token: str) -> dict[str, Any]:
    try:
        answer = response.json()
    except (ValueError, RecursionError):  # JSONDecodeError, UnicodeDecodeError
        answer = None
    error = answer.get("error") if isinstance(answer, dict) else None
    if isinstance(error, dict):
        raise _refusal(error, response, token)
    if response.is_success and isinstance(answer, dict):
        return answer
    # A proxy's page, not Meta's word. Below 500 it did not pass the request on; from 500 on, perhaps.
    status = response.status_code
    refused = 300 <= status < 500
    raise GraphError(
        f"HTTP {status} that is not Meta's JSON",
        http_status=status,
        retry_after=retry_after(response.headers),
        uncertain=not refused,
    )


def _refusal(error: dict[str, Any], response: httpx2.Response, token: str) -> GraphError:
    data = error.get("error_data")
    details = data.get("details") if isinstance(data, dict) else None
    return GraphError(
        redacted(str(details or error.get("message") or "no reason given"), token),
        code=_number(error.get("code")),
        subcode=_number(error.get("error_subcode")),
        http_status=response.status_code,
        retry_after=retry_after(response.headers),
    )


def _number(value: object) -> int | None:
    try:
        number = int(value) if isinstance(value, int | str) else None
    except ValueError:
        return None
    return number if number is not None and abs(number) <= GREATEST_CODE else None


def redacted(text: str, token: str) -> str:
    """`text`, short and without the token: Meta quotes a malformed one."""
    return re.sub(r"\bEAA\w{8,}", "[token]", text.replace(token, "[token]") if token else text)[:500]
