"""Requests to other services: the model, Graph, media, a business's webhooks.

There are two clients. The pooled one is for hosts from our settings and goes through the environment's proxy. The
pinned one, `pinned=True`, is for URLs that others gave us: it connects only to public addresses and never through a
proxy, which would resolve the name again. Neither follows redirects, keeps cookies or reads `.netrc`.
"""

import asyncio
import contextlib
import email.utils
import logging
import math
import time
import urllib.request
from collections.abc import AsyncIterable, AsyncIterator, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, replace
from enum import StrEnum
from ipaddress import ip_address

import aiohttp
from django.conf import settings
from yarl import URL

from .public_addresses import NotPublic, checked_socket

logger = logging.getLogger(__name__)

Body = bytes | aiohttp.FormData | AsyncIterable[bytes]

CONNECT_SECONDS = 5.0
# Servers close idle connections. Closing ours first makes it rare that a request meets a closing connection.
IDLE_SECONDS = 4
LARGEST_BODY = 16 * 1024 * 1024  # bytes of a response that is read whole
CHUNK = 64 * 1024


class Kind(StrEnum):
    BAD_REQUEST = "bad_request"  # no request could be made of the URL or the headers
    NOT_PUBLIC = "not_public"
    NO_CONNECTION = "no_connection"  # name, proxy, connection or TLS
    TIMEOUT = "timeout"
    LOST = "lost"
    TOO_LARGE = "too_large"


UNSENT = frozenset({Kind.BAD_REQUEST, Kind.NOT_PUBLIC, Kind.NO_CONNECTION})
_UNCONNECTED = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.ClientHttpProxyError)
_MALFORMED = (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError)


class RequestFailed(Exception):
    """There is no whole response. `detail` never holds a header. `answered`: the response without its body, if the
    status arrived."""

    def __init__(self, kind: Kind, detail: str, answered: "Response | None" = None) -> None:
        super().__init__(f"{kind}: {detail}")
        self.kind = kind
        self.detail = detail
        self.answered = answered

    @property
    def before_a_byte(self) -> bool:
        """Nothing of the request was sent. Otherwise it may have been received."""
        return self.kind in UNSENT


@dataclass(frozen=True, slots=True)
class Response:
    status: int
    headers: Mapping[str, str]
    body: bytes


class OpenResponse:
    """A response whose body is still to be read."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self.status = response.status
        self.headers: Mapping[str, str] = response.headers
        self._content = response.content

    async def chunks(self) -> AsyncIterator[bytes]:
        with _classified():
            async for chunk in self._content.iter_chunked(CHUNK):
                yield chunk

    async def read(self, limit: int = LARGEST_BODY) -> bytes:
        body = bytearray()
        async for chunk in self.chunks():
            body += chunk
            if len(body) > limit:
                raise RequestFailed(Kind.TOO_LARGE, f"the response is larger than {limit} bytes")
        return bytes(body)


@dataclass(frozen=True, slots=True)
class _Clients:
    """Connections belong to the event loop that opened them."""

    loop: asyncio.AbstractEventLoop
    pooled: aiohttp.ClientSession
    pinned: aiohttp.ClientSession


_kept: ContextVar[_Clients | None] = ContextVar("kept", default=None)


@contextlib.asynccontextmanager
async def keep_connections() -> AsyncIterator[None]:
    """Reuse connections between requests for as long as this lasts. Without it, each request opens its own."""
    async with _open_clients() as clients:
        token = _kept.set(clients)
        try:
            yield
        finally:
            _kept.reset(token)


async def request(
    method: str,
    url: str,
    *,
    seconds: float,
    connect_seconds: float | None = None,
    headers: Mapping[str, str] | None = None,
    params: Mapping[str, str] | None = None,
    data: Body | None = None,
    json: object = None,
) -> Response:
    """Send a request to a host from our settings and read the response. Raises RequestFailed.

    seconds: for everything. Connecting gets less, so that running out of time always means that bytes were sent.
    """
    connect = min(connect_seconds or CONNECT_SECONDS, seconds / 4)
    answered: Response | None = None
    try:
        async with (
            asyncio.timeout(seconds),
            stream(method, url, connect_seconds=connect, headers=headers, params=params, data=data, json=json) as got,
        ):
            answered = Response(got.status, got.headers, b"")
            return replace(answered, body=await got.read())
    except TimeoutError:
        raise RequestFailed(Kind.TIMEOUT, f"no response in {seconds:g} s", answered) from None
    except RequestFailed as failure:
        failure.answered = answered
        raise


@contextlib.asynccontextmanager
async def stream(
    method: str,
    url: str,
    *,
    pinned: bool = False,
    connect_seconds: float = CONNECT_SECONDS,
    read_seconds: float | None = None,
    headers: Mapping[str, str] | None = None,
    params: Mapping[str, str] | None = None,
    data: Body | None = None,
    json: object = None,
) -> AsyncIterator[OpenResponse]:
    """The response, with its body still to be read. Raises RequestFailed; the caller limits the time."""
    headers = headers or {}
    if not all(value.isascii() and value.isprintable() for value in headers.values()):
        raise RequestFailed(Kind.BAD_REQUEST, "a header contains invalid characters")
    async with contextlib.AsyncExitStack() as stack:
        with _classified():
            target = _parsed(url)
            clients = _kept.get()
            if clients is None or clients.loop is not asyncio.get_running_loop():
                clients = await stack.enter_async_context(_open_clients())
            else:
                await _notice_closed_connections()
            client = clients.pinned if pinned else clients.pooled
            response = await stack.enter_async_context(
                client.request(
                    method,
                    target,
                    params=params,
                    headers=headers,
                    data=data,
                    json=json,
                    allow_redirects=False,
                    proxy=None if pinned else _proxy(target),
                    timeout=aiohttp.ClientTimeout(connect=connect_seconds, sock_read=read_seconds),
                )
            )
        yield OpenResponse(response)


@contextlib.asynccontextmanager
async def _open_clients() -> AsyncIterator[_Clients]:
    # No limit on connections: callers limit their requests, and one hanging service must not use up the
    # connections to the others.
    pooled = aiohttp.TCPConnector(limit=0, keepalive_timeout=IDLE_SECONDS)
    pinned = aiohttp.TCPConnector(limit=0, keepalive_timeout=IDLE_SECONDS, socket_factory=checked_socket)
    async with _session(pooled) as first, _session(pinned) as second:
        yield _Clients(asyncio.get_running_loop(), first, second)


async def _notice_closed_connections() -> None:
    """Let the event loop read what has arrived, so that a connection its server closed meanwhile isn't reused.

    Two rounds: the loop runs what was waiting before it reads.
    """
    await asyncio.sleep(0)
    await asyncio.sleep(0)


def _session(connector: aiohttp.BaseConnector) -> aiohttp.ClientSession:
    # A tenant's cookies must not reach another tenant's requests to the same host.
    return aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False)


def _parsed(url: str) -> URL:
    try:
        return URL(url)
    except ValueError:
        raise RequestFailed(Kind.BAD_REQUEST, "this isn't a URL") from None


def _proxy(url: URL) -> str | None:
    """The environment's proxy for this URL. Nothing on this machine is reached through it."""
    proxies: dict[str, str] = settings.OUTGOING_PROXIES
    host = url.host or ""
    proxy = proxies.get(url.scheme)
    if proxy is None or _is_this_machine(host):
        return None
    # The standard library's reading of NO_PROXY, which typeshed doesn't know.
    return None if urllib.request.proxy_bypass_environment(host, proxies) else proxy  # type: ignore[attr-defined]


def _is_this_machine(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


@contextlib.contextmanager
def _classified() -> Iterator[None]:
    """Raise RequestFailed in place of the client's own errors."""
    try:
        yield
    except RequestFailed:
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is, the request may have been received
        # Without the cause: its text may hold what was sent.
        raise _failure(error) from None


def _failure(error: Exception) -> RequestFailed:
    """The only reading of what went wrong. Whatever isn't surely unsent may have been received."""
    if isinstance(error, _MALFORMED):
        return RequestFailed(Kind.BAD_REQUEST, "this isn't the URL of a web service")
    if isinstance(error, aiohttp.ClientConnectorError) and isinstance(error.os_error, NotPublic):
        return RequestFailed(Kind.NOT_PUBLIC, f"{error.host} is not on the internet")
    if isinstance(error, _UNCONNECTED):
        reason = getattr(error, "os_error", None) or getattr(error, "status", None) or "no answer in time"
        return RequestFailed(Kind.NO_CONNECTION, f"{type(error).__name__}: {reason}"[:300])
    if isinstance(error, TimeoutError):
        return RequestFailed(Kind.TIMEOUT, "the server stopped answering")
    if not isinstance(error, aiohttp.ClientError | OSError):
        logger.error("unexpected error of the HTTP client", exc_info=error)
    return RequestFailed(Kind.LOST, type(error).__name__)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that `Retry-After` (seconds or a date) or OpenAI's `retry-after-ms` asks for, if it can be read."""
    for name, divisor in (("retry-after-ms", 1000), ("retry-after", 1)):
        try:
            seconds = float(headers[name]) / divisor
        except (KeyError, ValueError):
            continue
        return max(0.0, seconds) if math.isfinite(seconds) else None
    try:
        date = email.utils.parsedate_to_datetime(headers["retry-after"])
        return max(0.0, date.timestamp() - time.time())
    except (KeyError, ValueError, OverflowError):
        return None
