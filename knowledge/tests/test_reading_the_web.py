"""Web pages and sitemaps are read by the worker, again when they should be, and with clear errors."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from django.db.models.functions import Now

from knowledge import sources
from knowledge.models import Source
from knowledge.reading import fetching, work
from knowledge.tests.adding import add, add_page, known, read, read_again
from knowledge.tests.website import SHOP, Endless, Website, page, redirect, sitemap
from tests.pdfs import pdf
from tests.stage import Stage


@pytest.fixture
def site(stage: Stage) -> Website:
    return Website(stage.network)


# --- web pages ---


def test_a_page_is_read_with_its_title(stage: Stage, site: Website) -> None:
    site.answers[SHOP] = page("We bake every day but Monday.", title="Opening hours")
    source = read(stage, add_page())
    assert (source.state, source.title, source.link) == ("ready", "Opening hours", SHOP)
    assert known() == ["We bake every day but Monday."]


def test_a_page_keeps_the_title_that_it_was_given(stage: Stage, site: Website) -> None:
    site.answers[SHOP] = page("We bake every day but Monday.")
    assert read(stage, add_page(title="Ours")).title == "Ours"


def test_a_pdf_at_a_url_is_read(stage: Stage, site: Website) -> None:
    site.answers[SHOP] = httpx2.Response(200, content=pdf("Cakes: 24.00"))
    read(stage, add_page())
    assert known() == ["Cakes: 24.00"]


def test_what_changed_is_shown(stage: Stage, site: Website) -> None:
    site.answers[SHOP] = page("Closed on Mondays.</p><p>Cakes: 24.00")
    source = read(stage, add_page())
    assert (source.changes, source.changed_at) == ("", None)
    site.answers[SHOP] = page("Closed on Mondays.</p><p>Cakes: 26.00")
    source = read_again(stage, source)
    assert source.changes == "- Cakes: 24.00\n+ Cakes: 26.00"
    changed_at = source.changed_at
    assert changed_at
    source = read_again(stage, source)
    assert (source.changed_at, source.changes) == (changed_at, "- Cakes: 24.00\n+ Cakes: 26.00")


def test_a_page_that_fails_later_keeps_what_was_known(stage: Stage, site: Website) -> None:
    site.answers[SHOP] = page("We bake.")
    source = read(stage, add_page(repeat_days=7))
    del site.answers[SHOP]
    source = read_again(stage, source)
    assert source.state == "failed"
    assert known() == ["We bake."]
    assert source.next_attempt_at, "it's tried again with the next repetition"


def test_a_page_is_read_again_after_some_days(stage: Stage, site: Website) -> None:
    site.answers[SHOP] = page("Old")
    source = read(stage, add_page(repeat_days=7))
    assert source.next_attempt_at
    assert source.read_at
    assert 6.9 < (source.next_attempt_at - source.read_at).total_seconds() / 86_400 < 7.1
    site.answers[SHOP] = page("New")
    stage.work()
    assert known() == ["Old"]
    Source.objects.update(next_attempt_at=Now())
    assert work.BACKLOG.find_due() == 1
    stage.work()
    assert known() == ["New"]


def test_an_attempt_that_may_pass_is_made_three_times(stage: Stage, site: Website) -> None:
    site.answers[SHOP] = httpx2.Response(503)
    source = read(stage, add_page())
    assert source.state == "failed"
    assert "returned an error (HTTP 503)" in source.error
    assert site.asked == [SHOP] * 3


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (httpx2.Response(404), "no page at this URL (HTTP 404)"),
        (httpx2.Response(403), "doesn't let Parley read"),
        (httpx2.Response(200, html="<html><script>x()</script></html>"), "made by scripts"),
        (httpx2.Response(200, content=b"PNG" + bytes(600)), "This kind of file"),
        (redirect("https://10.0.0.1/"), "10.0.0.1 is not on the internet"),
        (redirect("http://169.254.169.254/latest"), "169.254.169.254 is not on the internet"),
        (redirect("file:///etc/passwd"), "must begin with https://"),
        (redirect("https://[::1"), "isn't a URL"),
        (redirect(SHOP), "redirects too often"),
    ],
)
def test_a_page_that_cannot_be_read_says_what_to_do(stage: Stage, site: Website, answer: Any, reason: str) -> None:
    site.answers[SHOP] = answer
    source = read(stage, add_page())
    assert source.state == "failed"
    assert reason in source.error


@pytest.mark.parametrize("private", ["127.0.0.1", "10.0.0.1", "::1", "fd00::1", "169.254.169.254"])
def test_a_name_that_leads_to_a_private_address_is_refused(stage: Stage, site: Website, private: str) -> None:
    inside = "https://inside.test/"
    site.answers |= {SHOP: redirect(inside), inside: page("secret")}
    # The name of the redirect, which has a public address when it's looked up first: DNS rebinding.
    found = iter([["93.184.216.34"], [private], [private], [private]])
    stage.network.addresses = lambda host: ["93.184.216.34"] if host == "shop.test" else next(found)
    assert read(stage, add_page()).state == "ready"
    source = read(stage, add_page(inside))
    assert source.state == "failed"
    assert "Can't connect to inside.test" in source.error
    assert private not in source.error
    assert private not in [address for _, address in stage.network.connected]


def test_a_page_that_never_ends_is_left(stage: Stage, site: Website, settings: Any) -> None:
    settings.KNOWLEDGE_LARGEST_MB = 1
    endless = Endless(b"x" * 65_536)
    site.answers[SHOP] = httpx2.Response(200, stream=endless)
    source = read(stage, add_page())
    assert source.state == "failed"
    assert "larger than 1 MB" in source.error
    assert endless.sent < 4 << 20


def test_a_page_that_trickles_is_left(stage: Stage, site: Website, monkeypatch: pytest.MonkeyPatch) -> None:
    class Trickle(httpx2.AsyncByteStream):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            while True:
                yield b"x"
                await asyncio.sleep(0.01)

    monkeypatch.setattr(fetching, "SECONDS", 0.3)
    monkeypatch.setattr(work, "WAITS", ())
    site.answers[SHOP] = httpx2.Response(200, stream=Trickle())
    source = read(stage, add_page())
    assert source.state == "failed"
    assert "didn't arrive completely within" in source.error


def test_a_page_in_another_charset_than_it_says_is_read(stage: Stage, site: Website) -> None:
    headers = {"Content-Type": "text/html; charset=utf-8"}
    text = "<html><body><p>Täglich geöffnet</p></body></html>".encode("cp1252")
    site.answers[SHOP] = httpx2.Response(200, content=text, headers=headers)
    read(stage, add_page())
    assert known() == ["Täglich geöffnet"]


# --- sitemaps ---

MAP = f"{SHOP}sitemap.xml"


def test_the_pages_of_a_sitemap_are_read(stage: Stage, site: Website) -> None:
    elsewhere = "https://other.test/"
    site.answers = {
        MAP: sitemap(f"{SHOP}a", f"{SHOP}b", elsewhere),
        f"{SHOP}a": page("Apple"),
        f"{SHOP}b": page("Plum"),
    }
    source = read(stage, add(Source.Kind.SITEMAP, MAP))
    assert source.state == "ready"
    assert sorted(known()) == ["Apple", "Plum"]
    assert elsewhere not in site.asked


def test_pages_come_and_go_with_the_sitemap(stage: Stage, site: Website) -> None:
    site.answers = {MAP: sitemap(f"{SHOP}a", f"{SHOP}b"), f"{SHOP}a": page("Apple"), f"{SHOP}b": page("Plum")}
    source = read(stage, add(Source.Kind.SITEMAP, MAP))
    Source.objects.filter(url=f"{SHOP}a").update(enabled=False)
    site.answers |= {MAP: sitemap(f"{SHOP}a", f"{SHOP}c"), f"{SHOP}a": page("Pear"), f"{SHOP}c": page("Fig")}
    source = read_again(stage, source)
    assert sorted(known()) == ["Fig", "Pear"]
    assert source.changes == f"- {SHOP}b\n+ {SHOP}c"
    assert not Source.objects.get(url=f"{SHOP}a").enabled


def test_a_sitemap_that_lists_itself_and_others_ends(stage: Stage, site: Website) -> None:
    other = f"{SHOP}other.xml"
    site.answers = {
        MAP: sitemap(MAP, other, kind="sitemap"),
        other: sitemap(MAP, f"{SHOP}third.xml", kind="sitemap"),
        f"{SHOP}third.xml": sitemap(f"{SHOP}a"),
        f"{SHOP}a": page("Apple"),
    }
    assert read(stage, add(Source.Kind.SITEMAP, MAP)).state == "ready"
    assert known() == ["Apple"]
    assert len(site.asked) == 4


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (lambda: sitemap(*(f"{SHOP}{n}" for n in range(100_000))), "more than 1,000 pages"),
        (lambda: sitemap(*(f"{SHOP}{n}.xml" for n in range(60)), kind="sitemap"), "more than 50 other sitemaps"),
        (lambda: sitemap(MAP, kind="sitemap"), "lists no pages"),
        (lambda: page("Hello"), "lists no pages"),
        (lambda: httpx2.Response(200, content=b""), "lists no pages"),
    ],
)
def test_a_sitemap_that_cannot_be_read_says_what_to_do(stage: Stage, site: Website, answer: Any, reason: str) -> None:
    site.answers[MAP] = answer
    source = read(stage, add(Source.Kind.SITEMAP, MAP))
    assert source.state == "failed"
    assert reason in source.error
    assert Source.objects.count() == 1


def test_switching_a_sitemap_off_switches_its_pages_off(stage: Stage, site: Website) -> None:
    site.answers = {MAP: sitemap(f"{SHOP}a"), f"{SHOP}a": page("Apple")}
    source = read(stage, add(Source.Kind.SITEMAP, MAP))
    source.enabled = False
    sources.save(source)
    assert not Source.objects.in_use().exists()


def test_a_source_that_is_too_much_says_so_and_keeps_what_was_known(stage: Stage, site: Website, settings: Any) -> None:
    site.answers[SHOP] = page("We bake.")
    source = read(stage, add_page())
    settings.KNOWLEDGE_MAX_CHUNKS = 2
    site.answers[SHOP] = page("<h2>A</h2><p>a</p><h2>B</h2><p>b</p><h2>C</h2><p>c</p>")
    source = read_again(stage, source)
    assert source.state == "failed"
    assert "exceed the limit of 2 chunks" in source.error
    assert known() == ["We bake."]


def test_saving_a_source_does_not_undo_what_a_job_wrote(stage: Stage, site: Website) -> None:
    site.answers[SHOP] = page("We bake.")
    opened = add_page()
    read(stage, opened)
    opened.title = "Ours"
    sources.save(opened)
    source = Source.objects.get()
    assert (source.state, source.title, source.text) == ("ready", "Ours", "We bake.")
