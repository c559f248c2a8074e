"""Sitemaps: the pages that they list, and the sources for them."""

import tempfile
from collections.abc import Awaitable, Callable
from typing import IO, TypeVar

from django.conf import settings
from django.db.models.functions import Now
from yarl import URL

from knowledge.models import Source
from runtime.untrusted_files import sandbox
from runtime.untrusted_files.refusal import TOO_MANY_PAGES, Refused
from runtime.untrusted_files.sandbox import Limits

from . import fetching

T = TypeVar("T")

MOST_SITEMAPS = 50  # that one may list, at any depth
LIMITS = Limits(seconds=60, megabytes=384, characters=5_000_000, whole=True)


async def pages_of(
    url: str, report: Callable[[str], Awaitable[None]], run: Callable[..., Awaitable[list[tuple[str, str]]]]
) -> list[str]:
    """The URLs of all pages that a sitemap lists, in its order. Only those of its own website.

    run: calls a function in another thread. Raises FetchFailed and Refused.
    """
    waiting, seen = [url], {url}
    pages: dict[str, None] = {}
    while waiting:
        await report(f"Fetching sitemap {len(seen) - len(waiting) + 1} of {len(seen)}")
        with tempfile.TemporaryFile() as file:
            fetched = await fetching.fetch(waiting.pop(0), file)
            listed = await run(_listed, file)
        for kind, found in listed:
            if not (own := _own(found, fetched.url)) or own in seen:
                continue
            if kind == "sitemap":
                seen.add(own)
                waiting.append(own)
            else:
                pages[own] = None
        if len(seen) > MOST_SITEMAPS:
            raise Refused(f"It lists more than {MOST_SITEMAPS} other sitemaps. Add one of these instead.")
        if len(pages) > settings.KNOWLEDGE_MAX_PAGES:
            raise Refused(TOO_MANY_PAGES.format(most=settings.KNOWLEDGE_MAX_PAGES))
    if not pages:
        raise Refused("It lists no pages of its own website. Check the URL: sitemaps are often at /sitemap.xml.")
    return list(pages)


def store(sitemap: Source, urls: list[str]) -> int:
    """Schedule all listed pages to be read. Pages that are no longer listed are deleted. Returns how many will be
    read."""
    pages = Source.objects.filter(parent=sitemap)
    pages.exclude(url__in=urls).delete()
    pages.update(state=Source.State.WAITING, next_attempt_at=Now())
    known = set(pages.values_list("url", flat=True))
    new = [
        Source(
            tenant_id=sitemap.tenant_id,
            parent=sitemap,
            kind=Source.Kind.PAGE,
            url=url,
            enabled=sitemap.enabled,
            expires_at=sitemap.expires_at,
            state=Source.State.WAITING,
            next_attempt_at=Now(),
        )
        for url in urls
        if url not in known
    ]
    Source.objects.bulk_create(new, batch_size=500)
    return len(urls)


def _listed(file: IO[bytes]) -> list[tuple[str, str]]:
    try:
        output = sandbox.read("sitemap", file, settings.KNOWLEDGE_MAX_PAGES, limits=LIMITS).decode("utf-8")
    except Refused as refusal:
        raise Refused(
            str(refusal) or "This isn't a sitemap. Check the URL: sitemaps are often at /sitemap.xml."
        ) from None
    lines = (line.partition(" ") for line in output.splitlines())
    return [(kind, url) for kind, _, url in lines]


def _own(url: str, sitemap: str) -> str:
    """The URL as it's requested, if it's at the sitemap's website, else ""."""
    try:
        found, own = URL(fetching.normalized(url)), URL(sitemap)
    except ValueError:
        return ""
    return str(found) if _site(found) == _site(own) else ""


def _site(url: URL) -> str:
    return (url.host or "").removeprefix("www.")
