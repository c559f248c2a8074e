"""Behind a company's proxy: requests go through it, those to this machine don't, and a SOCKS proxy is refused."""

import asyncio
from typing import Any

import httpx2
import pytest
from django.core.exceptions import ImproperlyConfigured

from config.proxies import outgoing_proxies
from runtime import http
from runtime.http import Kind, RequestFailed, Response
from tests.local_server import Serve, json_response, local_server, read_request

VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    return monkeypatch


@pytest.mark.parametrize("name", ["ALL_PROXY", "HTTPS_PROXY", "http_proxy"])
@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:1080", "socks5h://me:secret@proxy", "http://", "http://x:port"])
def test_a_proxy_that_cannot_be_used_is_refused_at_startup(
    environment: pytest.MonkeyPatch, name: str, proxy: str
) -> None:
    environment.setenv(name, proxy)
    with pytest.raises(ImproperlyConfigured, match=r"Set HTTPS?_PROXY to an HTTP proxy") as refused:
        outgoing_proxies()
    assert "secret" not in str(refused.value)


def test_proxies_are_read_as_curl_reads_them(environment: pytest.MonkeyPatch) -> None:
    assert outgoing_proxies() == {"no": ""}
    environment.setenv("ALL_PROXY", "http://everything:3128")
    environment.setenv("https_proxy", "secure:3128")
    environment.setenv("NO_PROXY", "internal.test")
    assert outgoing_proxies() == {
        "http": "http://everything:3128",
        "https": "http://secure:3128",
        "no": "internal.test",
    }


def test_a_socks_proxy_that_nothing_would_use_is_no_reason_to_stop(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("ALL_PROXY", "socks5://127.0.0.1:1080")
    environment.setenv("HTTP_PROXY", "http://proxy:3128")
    environment.setenv("HTTPS_PROXY", "http://proxy:3128")
    assert outgoing_proxies()["https"] == "http://proxy:3128"


def through(serve: Serve, settings: Any, url: str, no: str = "", **options: Any) -> Response | RequestFailed:
    """What comes of a request while this server is the proxy."""

    async def call() -> Response | RequestFailed:
        async with local_server(serve) as address:
            proxy = address.replace("://", "://me:secret@")
            settings.OUTGOING_PROXIES = {"http": proxy, "https": proxy, "no": no}
            try:
                return await http.request("POST", url, seconds=5, data=b"{}")
            except RequestFailed as failure:
                return failure

    return asyncio.run(call())


def test_requests_go_through_the_proxy(settings: Any) -> None:
    requests: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        requests.append(await read_request(reader))
        writer.write(json_response(b"{}"))

    response = through(serve, settings, "http://model.test/v1/chat/completions")
    assert isinstance(response, Response)
    assert response.body == b"{}"
    assert requests[0].startswith(b"POST http://model.test/v1/chat/completions HTTP/1.1\r\n")
    assert b"Proxy-Authorization: Basic" in requests[0]


def test_a_tunnel_that_the_proxy_refuses_means_that_nothing_was_sent(settings: Any) -> None:
    requests: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        requests.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")

    failure = through(serve, settings, "https://graph.facebook.com/v24.0/1/messages")
    assert isinstance(failure, RequestFailed)
    assert (failure.kind, failure.before_a_byte) == (Kind.NO_CONNECTION, True)
    assert requests[0].startswith(b"CONNECT graph.facebook.com:443 HTTP/1.1\r\n")


@pytest.mark.parametrize(("host", "no"), [("127.0.0.1", ""), ("localhost", ""), ("127.0.0.1", "*")])
def test_the_sandbox_is_reached_without_the_proxy(settings: Any, host: str, no: str) -> None:
    settings.OUTGOING_PROXIES = {"http": "http://127.0.0.1:9", "no": no}

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(json_response(b"{}"))

    async def call() -> Response:
        async with local_server(serve) as url:
            return await http.request("POST", url.replace("127.0.0.1", host), seconds=5, data=b"{}")

    assert asyncio.run(call()).status == 200


def test_no_proxy_names_hosts_that_are_reached_directly(settings: Any, network: Any) -> None:
    """The proxy isn't there; `internal.test` is reached, the rest isn't."""
    settings.OUTGOING_PROXIES = {"https": "http://127.0.0.1:9", "no": ".internal.test"}

    async def call(url: str) -> None:
        await http.request("GET", url, seconds=5)

    with pytest.raises(RequestFailed) as failed:
        asyncio.run(call("https://model.test/"))
    assert (failed.value.kind, network.connected) == (Kind.NO_CONNECTION, [])
    network.graph = lambda request: httpx2.Response(200)
    asyncio.run(call("https://model.internal.test/"))
    assert network.connected == [("model.internal.test", "93.184.216.34")]


def test_the_pinned_client_goes_past_the_proxy(settings: Any) -> None:
    """A proxy would resolve the name again, to whatever it leads to then."""
    settings.WEBHOOKS_ALLOW_PRIVATE = True
    settings.OUTGOING_PROXIES = {"http": "http://127.0.0.1:9", "no": ""}

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(json_response(b"{}"))

    async def call() -> int:
        async with local_server(serve) as url, http.stream("POST", url, pinned=True, data=b"{}") as response:
            return response.status

    assert asyncio.run(call()) == 200
