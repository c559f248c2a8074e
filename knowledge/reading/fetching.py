"""Fetches web pages and sitemaps: public ones only, within limits, and whatever the server does."""

import asyncio
from dataclasses import dataclass
from email.message import Message
from typing import IO

from django.conf import settings
from yarl import URL

from runtime import http
from runtime.http import Kind
from runtime.public_addresses import flaw

REDIRECTS = 5
REDIRECT_STATUSES = {301, 302, 303, 307, 308}
GONE = {404, 410}
SECONDS = 60  # for everything
READ_SECONDS = 20  # between two chunks
HEADERS = {
    "User-Agent": "Mozilla/5.0 (compatible; Parley)",
    "Accept": "text/html,application/xhtml+xml,application/pdf,application/xml;q=0.9,*/*;q=0.5",
    "Accept-Encoding": "identity",  # a few bytes could unpack to gigabytes
}


@dataclass(frozen=True, slots=True)
class Fetched:
    """What the server says about the page. Its content is in the file."""

    url: str  # where the redirects ended
    mime_type: str
    charset: str


class FetchFailed(Exception):
    """The message says why, and what to do. `may_pass`: another attempt may succeed."""

    def __init__(self, detail: str, may_pass: bool = False) -> None:
        super().__init__(detail)
        self.may_pass = may_pass


def normalized(url: str) -> str:
    """A URL as it's requested. Raises ValueError, which says what's wrong with it."""
    text = url.strip()
    if "://" not in text:
        text = f"https://{text}"
    if problem := flaw(text, only_https=False):
        raise ValueError(problem)
    found = str(URL(text).with_fragment(None))
    if len(found) > 2000:
        raise ValueError("The URL is too long.")
    return found


async def fetch(url: str, file: IO[bytes]) -> Fetched:
    """Write the page into the file. Raises FetchFailed."""
    try:
        async with asyncio.timeout(SECONDS):
            return await _follow(url, file)
    except TimeoutError:
        raise FetchFailed(
            f"The page didn't arrive completely within {SECONDS} seconds. Try again later.", True
        ) from None
    except http.RequestFailed as failure:
        raise _failed(failure, URL(url).host or url) from None


async def _follow(url: str, file: IO[bytes]) -> Fetched:
    for _ in range(REDIRECTS + 1):
        if problem := flaw(url, only_https=False):
            raise FetchFailed(f"The page can't be read: {problem}")
        async with http.stream("GET", url, pinned=True, headers=HEADERS, read_seconds=READ_SECONDS) as response:
            location = response.headers.get("Location")
            if location is None or response.status not in REDIRECT_STATUSES:
                await _save(response, file)
                said = Message()
                said["Content-Type"] = response.headers.get("Content-Type", "")
                return Fetched(url, said.get_content_type(), str(said.get_param("charset", "")))
        try:
            url = str(URL(url).join(URL(location)).with_fragment(None))
        except ValueError:
            raise FetchFailed("The page redirects to something that isn't a URL.") from None
    raise FetchFailed("The page redirects too often. Enter the URL where it ends up.")


async def _save(response: http.OpenResponse, file: IO[bytes]) -> None:
    status = response.status
    if status in GONE:
        raise FetchFailed(f"There's no page at this URL (HTTP {status}). Correct the URL, or delete this source.")
    if status in (401, 403):
        raise FetchFailed(f"The website doesn't let Parley read the page (HTTP {status}). Copy its text and add that.")
    if status != 200:
        raise FetchFailed(
            f"The website returned an error (HTTP {status}). Try again later.", status == 429 or status >= 500
        )
    left = settings.KNOWLEDGE_LARGEST_MB << 20
    async for chunk in response.chunks():
        left -= len(chunk)
        if left < 0:
            raise FetchFailed(
                f"The page is larger than {settings.KNOWLEDGE_LARGEST_MB} MB. Copy its text and add that."
            )
        file.write(chunk)


def _failed(failure: http.RequestFailed, host: str) -> FetchFailed:
    if "Certificate" in failure.detail or "SSL" in failure.detail:
        return FetchFailed(f"The certificate of {host} isn't valid. The website's owner has to renew it.")
    if failure.kind is Kind.TOO_LARGE or not failure.before_a_byte:
        return FetchFailed("The connection was lost before the page had arrived. Try again later.", True)
    # The same words and attempts for an address in our own network, so that no one can tell what's there.
    return FetchFailed(f"Can't connect to {host}. Check the URL: the page must be on the public internet.", True)
