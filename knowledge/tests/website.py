"""A website behind the fake network: what each URL answers."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

import httpx2

from tests.fake_network import FakeNetwork

SHOP = "https://shop.test/"
Answer = httpx2.Response | Callable[[], httpx2.Response]


def page(text: str, title: str = "Shop") -> httpx2.Response:
    body = f"<html><head><title>{title}</title></head><body><main><p>{text}</p></main></body></html>"
    return httpx2.Response(200, html=body)


def sitemap(*urls: str, kind: str = "url") -> httpx2.Response:
    entries = "".join(f"<{kind}><loc>{url}</loc></{kind}>" for url in urls)
    body = f'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{entries}</urlset>'
    return httpx2.Response(200, content=body.encode(), headers={"Content-Type": "application/xml"})


def redirect(url: str) -> httpx2.Response:
    return httpx2.Response(302, headers={"Location": url})


@dataclass
class Website:
    """Requests for URLs that aren't in `answers` are answered 404."""

    network: FakeNetwork
    answers: dict[str, Answer] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.network.graph = self.answer

    def answer(self, request: httpx2.Request) -> httpx2.Response:
        self.asked.append(str(request.url))
        answer = self.answers.get(str(request.url), httpx2.Response(404))
        return answer() if callable(answer) else answer


class Endless(httpx2.AsyncByteStream):
    """The same bytes again and again; `sent` counts them."""

    def __init__(self, chunk: bytes) -> None:
        self.chunk, self.sent = chunk, 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            self.sent += len(self.chunk)
            yield self.chunk
