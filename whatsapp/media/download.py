"""Downloads a customer's file: only from Meta, within limits, and only if it's what Meta announced.

https://developers.facebook.com/documentation/business-messaging/whatsapp/business-phone-numbers/media
"""

import asyncio
import hashlib
import tempfile
from dataclasses import dataclass
from typing import IO
from urllib.parse import quote

from django.conf import settings
from yarl import URL

from conversations.files.file_types import HEAD, real_type
from runtime import http
from runtime.http import Kind
from runtime.untrusted_json import as_text
from whatsapp.graph import client
from whatsapp.graph.client import GraphError
from whatsapp.webhook.items import hexadecimal

from .errors import FetchFailed, of_graph

# Where Meta keeps files. The token is only sent there and to the Graph API.
META_HOSTS = (".fbsbx.com", ".whatsapp.net", ".facebook.com", ".fbcdn.net")
REDIRECTS = 3
IN_MEMORY = 1024 * 1024  # the rest of a larger file is kept on disk
READ_SECONDS = 30  # between two chunks
REDIRECT_STATUSES = {301, 302, 303, 307, 308}
REFUSED = {401, 403, 404, 410}  # an expired URL


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A file as the webhook describes it, and the access token to fetch it with."""

    media_id: str
    kind: str
    mime_type: str
    sha256: str  # hexadecimal, '' if unknown
    phone_number_id: str
    token: str

    @property
    def limit(self) -> int:
        """Bytes."""
        return int(settings.MEDIA_LARGEST_MB[self.kind] * 1024 * 1024)


class Spool:
    """The bytes as they arrive: counted and hashed, and on disk beyond the first MB."""

    def __init__(self, limit: int) -> None:
        self.file: IO[bytes] = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115 - closed by `close`
        self.limit = limit
        self.size = 0
        self.head = b""
        self._sum = hashlib.sha256()

    def close(self) -> None:
        self.file.close()

    @property
    def sha256(self) -> str:
        return self._sum.hexdigest()

    def take(self, chunk: bytes) -> None:
        self.announce(self.size + len(chunk))
        self.size += len(chunk)
        self.head += chunk[: HEAD - len(self.head)]
        self._sum.update(chunk)
        self.file.write(chunk)

    def announce(self, size: int) -> None:
        if size > self.limit:
            raise FetchFailed("too_large", f"The file is larger than {self.limit / 1024 / 1024:g} MB.")


async def fetch(wanted: Wanted, spool: Spool) -> str:
    """Download the file into the spool and return its real type. Only raises FetchFailed."""
    try:
        async with asyncio.timeout(settings.MEDIA_SECONDS):
            return await _fetch(wanted, spool)
    except TimeoutError:
        raise FetchFailed("timeout", f"The file didn't arrive within {settings.MEDIA_SECONDS:g} seconds.") from None
    except http.RequestFailed as failure:
        raise _failed(failure) from None
    except (OSError, ValueError) as error:  # a full disk; a redirect to something that isn't a URL
        raise FetchFailed("broken", f"The file couldn't be downloaded: {type(error).__name__}.") from None


def _failed(failure: http.RequestFailed) -> FetchFailed:
    if failure.kind in (Kind.BAD_REQUEST, Kind.NOT_PUBLIC):
        return FetchFailed("elsewhere", f"{failure.detail}: not downloaded.")
    if failure.before_a_byte:
        return FetchFailed("no_connection", f"Can't connect to Meta's file server: {failure.detail}.")
    return FetchFailed("broken", f"The connection was lost: {failure.detail}.")


async def _fetch(wanted: Wanted, spool: Spool) -> str:
    path = quote(wanted.media_id, safe="")
    try:
        described = await client.get(path, wanted.token, phone_number_id=wanted.phone_number_id)
    except GraphError as error:
        raise of_graph(error) from None
    spool.announce(_size(as_text(described.get("file_size"))))
    await _download(as_text(described.get("url")), wanted.token, spool)
    # What the Graph API says about the file overrides the webhook.
    expected = hexadecimal(as_text(described.get("sha256"))) or wanted.sha256
    if expected and expected != spool.sha256:
        raise FetchFailed("altered", "The downloaded file isn't the one that Meta announced (the SHA-256 differs).")
    claimed = wanted.mime_type or as_text(described.get("mime_type"))
    real = real_type(wanted.kind, claimed, spool.head)
    if real is None:
        raise FetchFailed("not_what_it_says", f"The file isn't the {wanted.kind} it claims to be.")
    return real


async def _download(url: str, token: str, spool: Spool) -> None:
    """Follow redirects between Meta's hosts, and nowhere else."""
    headers = {"Authorization": f"Bearer {token}", "Accept-Encoding": "identity"}
    for _ in range(REDIRECTS + 1):
        pinned = not _is_graph(url)  # the sandbox replaces Graph on this machine
        async with http.stream(
            "GET", url, pinned=pinned, headers=headers, read_seconds=min(READ_SECONDS, settings.MEDIA_SECONDS)
        ) as response:
            location = response.headers.get("Location")
            if location is None or response.status not in REDIRECT_STATUSES:
                await _read(response, spool)
                return
        url = str(URL(url).join(URL(location)))
    raise FetchFailed("elsewhere", "Meta's URL for the file redirects too often.")


async def _read(response: http.OpenResponse, spool: Spool) -> None:
    status = response.status
    if status in REFUSED:
        raise FetchFailed("expired", f"Meta's URL for the file was refused (HTTP {status}).")
    if status != 200:
        raise FetchFailed("throttled" if status == 429 else "unavailable", f"Meta's file server returned {status}.")
    spool.announce(_size(response.headers.get("Content-Length", "")))
    async for chunk in response.chunks():
        spool.take(chunk)


def _size(announced: str) -> int:
    """In bytes; 0 if it isn't a number. More digits than any file needs still mean a large one."""
    return int(announced[:20]) if announced.isdecimal() else 0


def _is_graph(url: str) -> bool:
    """Whether the URL is at the Graph API. Raises FetchFailed if it isn't at one of Meta's hosts."""
    try:
        target = URL(url)
        if target.origin() == URL(settings.WHATSAPP_GRAPH_URL).origin() and not target.user:
            return True
    except ValueError:
        raise FetchFailed("elsewhere", "Not downloaded: its location isn't a URL.") from None
    host = target.host or ""
    if target.scheme != "https" or target.user or target.password or not f".{host}".endswith(META_HOSTS):
        raise FetchFailed("elsewhere", f"Not downloaded: {host[:100] or 'no host'} isn't one of Meta's hosts.")
    return False
