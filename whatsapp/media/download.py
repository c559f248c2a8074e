"""A customer's file over the network: from Meta, in bounds, and nothing but what Meta announced.

https://developers.facebook.com/documentation/business-messaging/whatsapp/business-phone-numbers/media
"""

import asyncio
import functools
import hashlib
import ipaddress
import ssl
import tempfile
from dataclasses import dataclass
from types import TracebackType
from typing import IO, Any
from urllib.parse import quote

import httpx2
from django.conf import settings

from conversations.files.file_types import HEAD, real_type
from runtime import public_addresses
from whatsapp.graph.client import BEFORE_A_BYTE, GraphClient, GraphError
from whatsapp.webhook.items import hexadecimal

from .errors import FetchFailed, of_graph

# Where Meta keeps files; the token goes there and to the Graph API, and nowhere else.
META_HOSTS = (".fbsbx.com", ".whatsapp.net", ".facebook.com", ".fbcdn.net")
REDIRECTS = 3
IN_MEMORY = 1024 * 1024  # the rest of a larger file waits on the disk
READ_SECONDS = 30  # between two pieces
REFUSED = {401, 403, 404, 410}  # an address that is too old

_transports: list[httpx2.AsyncBaseTransport] = []


def set_transport(transport: httpx2.AsyncBaseTransport | None) -> None:
    """Fetch through `transport` from now on (tests); None: through the network."""
    _transports[:] = [transport] if transport else []


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A file as the webhook named it, and in whose name it is asked for."""

    media_id: str
    kind: str
    mime_type: str
    sha256: str  # hexadecimal, '' when unknown
    phone_number_id: str
    token: str

    @property
    def limit(self) -> int:
        """Bytes."""
        return int(settings.MEDIA_LARGEST_MB[self.kind] * 1024 * 1024)


class Spool:
    """The bytes as they come: counted, summed up, and beyond the first MB on the disk."""

    def __init__(self, limit: int) -> None:
        self.file: IO[bytes] = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115 - closed by __exit__
        self.limit = limit
        self.size = 0
        self.head = b""
        self._sum = hashlib.sha256()

    def __enter__(self) -> "Spool":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: Any, trace: TracebackType | None) -> None:
        self.file.close()

    @property
    def sha256(self) -> str:
        return self._sum.hexdigest()

    def take(self, piece: bytes) -> None:
        self.announce(self.size + len(piece))
        self.size += len(piece)
        self.head += piece[: HEAD - len(self.head)]
        self._sum.update(piece)
        self.file.write(piece)

    def announce(self, size: int) -> None:
        if size > self.limit:
            raise FetchFailed("too_large", f"The file is larger than {self.limit / 1024 / 1024:g} MB.")


async def fetch(wanted: Wanted, spool: Spool) -> str:
    """Fetch the file into the spool; the answer is its real type. Raises FetchFailed, and nothing else."""
    try:
        async with asyncio.timeout(settings.MEDIA_SECONDS):
            return await _fetch(wanted, spool)
    except TimeoutError:
        raise FetchFailed("timeout", f"The file did not come within {settings.MEDIA_SECONDS:g} seconds.") from None
    except BEFORE_A_BYTE as error:
        raise FetchFailed("no_connection", f"No connection to Meta's files: {type(error).__name__}.") from None
    except (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError, OSError, ValueError) as error:
        # Without the cause: its text may hold the token.
        raise FetchFailed("broken", f"The connection broke: {type(error).__name__}.") from None


async def _fetch(wanted: Wanted, spool: Spool) -> str:
    described = await _describe(wanted)
    size = described.get("file_size")
    spool.announce(int(size) if isinstance(size, int | str) and str(size).isdecimal() else 0)
    await _download(str(described.get("url") or ""), wanted.token, spool)
    # What Graph says of the file that it has now counts before what the webhook said of it.
    expected = hexadecimal(str(described.get("sha256") or "")) or wanted.sha256
    if expected and expected != spool.sha256:
        raise FetchFailed("altered", "What came is not the file that Meta announced (another SHA-256).")
    claimed = wanted.mime_type or str(described.get("mime_type") or "")
    real = real_type(wanted.kind, claimed, spool.head)
    if real is None:
        raise FetchFailed("not_what_it_says", f"The file is not the {wanted.kind} that it says it is.")
    return real


async def _describe(wanted: Wanted) -> dict[str, Any]:
    path = quote(wanted.media_id, safe="")
    try:
        return await GraphClient().get(path, wanted.token, phone_number_id=wanted.phone_number_id)
    except GraphError as error:
        raise of_graph(error) from None


async def _download(url: str, token: str, spool: Spool) -> None:
    """Follow Meta from one of its hosts to another, and nobody anywhere else."""
    for _ in range(REDIRECTS + 1):
        target = httpx2.URL(url)
        async with _client() as client:
            request = await _request(client, target, token)
            response = await client.send(request, stream=True)
            try:
                if not response.has_redirect_location:
                    await _read(response, spool)
                    return
                url = str(target.join(response.headers["Location"]))
            finally:
                await response.aclose()
    raise FetchFailed("elsewhere", "Meta's address leads from one to the next without end.")


async def _read(response: httpx2.Response, spool: Spool) -> None:
    status = response.status_code
    if status in REFUSED:
        raise FetchFailed("expired", f"Meta's address for the file was refused (HTTP {status}).")
    if status != 200:
        raise FetchFailed("throttled" if status == 429 else "unavailable", f"Meta's files answered HTTP {status}.")
    length = response.headers.get("Content-Length", "")
    spool.announce(int(length) if length.isdecimal() else 0)
    async for piece in response.aiter_raw():
        spool.take(piece)


async def _request(client: httpx2.AsyncClient, target: httpx2.URL, token: str) -> httpx2.Request:
    """To an address that was looked at, under the name of the URL. Raises FetchFailed when it is none of Meta's."""
    headers = {"Authorization": f"Bearer {token}", "Accept-Encoding": "identity"}
    if _origin(target) == _origin(httpx2.URL(settings.WHATSAPP_GRAPH_URL)):
        return client.build_request("GET", target, headers=headers)  # the sandbox too, where it is on
    if target.scheme != "https" or target.userinfo or not f".{target.host}".endswith(META_HOSTS):
        raise FetchFailed("elsewhere", f"The file is not at Meta but at {target.host[:100] or 'no host'}: not fetched.")
    address = await _public_address(target)
    headers["Host"] = target.netloc.decode()
    return client.build_request(
        "GET", target.copy_with(host=address), headers=headers, extensions={"sni_hostname": target.host}
    )


def _origin(url: httpx2.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


async def _public_address(target: httpx2.URL) -> str:
    """A name that leads into our own network gains nothing by being Meta's."""
    try:
        found = await public_addresses.resolve(target.host, target.port or 443)
    except (OSError, UnicodeError):
        raise FetchFailed("no_connection", f"{target.host} has no address.") from None
    public = [address for address in found if public_addresses.is_public(ipaddress.ip_address(address))]
    if not public:
        raise FetchFailed("elsewhere", f"{target.host} is not on the internet: not fetched.")
    return public[0]


def _client() -> httpx2.AsyncClient:
    """For one file. No proxy of the environment: it would resolve the name once more."""
    return httpx2.AsyncClient(
        verify=_certificates(),
        trust_env=False,
        follow_redirects=False,
        timeout=httpx2.Timeout(min(READ_SECONDS, settings.MEDIA_SECONDS), connect=5),
        transport=_transports[0] if _transports else None,
    )


@functools.cache
def _certificates() -> ssl.SSLContext:
    return httpx2.create_ssl_context(trust_env=False)
