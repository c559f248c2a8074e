"""Requests on real sockets: what is known of one that got no answer, and what the two clients never do."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import uvloop

from runtime import http
from runtime.http import Kind, RequestFailed, Response
from tests.local_server import Serve, json_response, local_server, nobody_listens, read_request, reset

Reader = asyncio.StreamReader
Writer = asyncio.StreamWriter


# The worker's event loop, and the one that admin pages make.
@pytest.fixture(params=[uvloop.new_event_loop, asyncio.new_event_loop], ids=["uvloop", "asyncio"], autouse=True)
def loop(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("asyncio.events.new_event_loop", request.param)


BODY = b'{"text": "' + b"x" * 200_000 + b'"}'


def outcome(serve: Serve, scheme: str = "http", **options: Any) -> Response | RequestFailed:
    """What comes of one POST to this server."""

    async def call() -> Response | RequestFailed:
        async with local_server(serve) as url:
            return await post(url.replace("http", scheme, 1), **options)

    return asyncio.run(call())


async def post(url: str, **options: Any) -> Response | RequestFailed:
    try:
        return await http.request("POST", url, data=BODY, **{"seconds": 5, **options})
    except RequestFailed as failure:
        return failure


async def reset_after_the_headers(reader: Reader, writer: Writer) -> None:
    await reader.readuntil(b"\r\n\r\n")
    reset(writer)


async def reset_after_the_body(reader: Reader, writer: Writer) -> None:
    await read_request(reader)
    reset(writer)


async def close_after_the_body(reader: Reader, writer: Writer) -> None:
    await read_request(reader)


async def close_at_once(reader: Reader, writer: Writer) -> None: ...


async def cut_the_response(reader: Reader, writer: Writer) -> None:
    await read_request(reader)
    writer.write(json_response(b'{"messages": [{"id": "wam', length=1000))


async def talk_nonsense(reader: Reader, writer: Writer) -> None:
    await read_request(reader)
    writer.write(b"SSH-2.0-OpenSSH_9.2p1\r\n\r\n")


@pytest.mark.parametrize(
    "serve",
    [
        reset_after_the_headers,
        reset_after_the_body,
        close_after_the_body,
        close_at_once,
        cut_the_response,
        talk_nonsense,
    ],
)
def test_a_lost_connection_is_never_called_unsent(serve: Serve) -> None:
    failure = outcome(serve)
    assert isinstance(failure, RequestFailed)
    assert (failure.kind, failure.before_a_byte) == (Kind.LOST, False)


@pytest.mark.parametrize("how", [reset, Writer.close])
def test_a_lost_connection_that_was_reused_is_not_called_unsent_and_not_tried_again(
    how: Callable[[Writer], None],
) -> None:
    requests: list[bytes] = []

    async def serve(reader: Reader, writer: Writer) -> None:
        requests.append(await read_request(reader))
        writer.write(json_response(b"{}"))
        requests.append(await read_request(reader))
        how(writer)

    async def calls() -> Response | RequestFailed:
        async with local_server(serve) as url, http.keep_connections():
            assert isinstance(await post(url), Response)
            return await post(url)

    failure = asyncio.run(calls())
    assert isinstance(failure, RequestFailed)
    assert (failure.kind, len(requests)) == (Kind.LOST, 2)


async def hang(reader: Reader, writer: Writer) -> None:
    await read_request(reader)
    await asyncio.Event().wait()


async def trickle(reader: Reader, writer: Writer) -> None:
    await read_request(reader)
    writer.write(json_response(b"", length=1000))
    for _ in range(1000):
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("serve", [hang, trickle])
def test_a_timeout_is_not_called_unsent(serve: Serve) -> None:
    failure = outcome(serve, seconds=0.3)
    assert isinstance(failure, RequestFailed)
    assert (failure.kind, failure.before_a_byte) == (Kind.TIMEOUT, False)


async def no_such_host() -> str:
    return "http://no-such-host.invalid"


async def not_a_url() -> str:
    return "http://host:port"


async def no_host() -> str:
    return "https:///messages"


async def another_protocol() -> str:
    return "ftp://127.0.0.1/"


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        (nobody_listens, Kind.NO_CONNECTION),
        (no_such_host, Kind.NO_CONNECTION),
        (not_a_url, Kind.BAD_REQUEST),
        (no_host, Kind.BAD_REQUEST),
        (another_protocol, Kind.BAD_REQUEST),
    ],
)
def test_what_was_never_sent_is_known(url: Callable[[], Awaitable[str]], kind: Kind) -> None:
    async def call() -> Response | RequestFailed:
        return await post(await url())

    failure = asyncio.run(call())
    assert isinstance(failure, RequestFailed)
    assert (failure.kind, failure.before_a_byte) == (kind, True)


async def wait_for_ever(reader: Reader, writer: Writer) -> None:
    await asyncio.Event().wait()


@pytest.mark.parametrize("serve", [wait_for_ever, close_at_once, talk_nonsense])
def test_nothing_is_sent_until_tls_is_agreed(serve: Serve) -> None:
    failure = outcome(serve, "https", seconds=0.8)
    assert isinstance(failure, RequestFailed)
    assert (failure.kind, failure.before_a_byte) == (Kind.NO_CONNECTION, True)


def test_nothing_is_sent_to_a_server_whose_certificate_is_not_valid(self_signed: ssl.SSLContext) -> None:
    async def call() -> Response | RequestFailed:
        server = await asyncio.start_server(close_at_once, "127.0.0.1", 0, ssl=self_signed)
        async with server:
            return await post(f"https://localhost:{server.sockets[0].getsockname()[1]}")

    failure = asyncio.run(call())
    assert isinstance(failure, RequestFailed)
    assert (failure.kind, failure.before_a_byte) == (Kind.NO_CONNECTION, True)
    assert "certificate verify failed" in failure.detail


@pytest.mark.parametrize("value", ["Bearer EAA\nnewline", "Bearer EAA\r\nHost: x", "Bearer EAAключ"])
def test_an_invalid_header_is_neither_sent_nor_repeated(value: str) -> None:
    failure = outcome(hang, headers={"Authorization": value})
    assert isinstance(failure, RequestFailed)
    assert (failure.kind, failure.before_a_byte) == (Kind.BAD_REQUEST, True)
    assert "EAA" not in f"{failure} {failure.detail}"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(status: int) -> None:
    requests: list[bytes] = []

    async def serve(reader: Reader, writer: Writer) -> None:
        requests.append(await read_request(reader))
        writer.write(b"HTTP/1.1 %d Moved\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n" % status)

    response = outcome(serve)
    assert isinstance(response, Response)
    assert (response.status, response.headers["location"], len(requests)) == (status, "/elsewhere", 1)


def test_a_response_without_end_is_not_read_to_its_end() -> None:
    async def serve(reader: Reader, writer: Writer) -> None:
        await read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(bytes(1024 * 1024))
            await writer.drain()

    failure = outcome(serve, seconds=60)
    assert isinstance(failure, RequestFailed)
    assert (failure.kind, failure.before_a_byte) == (Kind.TOO_LARGE, False)


def test_connections_are_kept_for_as_long_as_that_was_asked_for() -> None:
    connections: list[int] = []

    async def serve(reader: Reader, writer: Writer) -> None:
        connections.append(1)
        while await read_request(reader):
            writer.write(json_response(b"{}"))

    async def calls() -> None:
        async with local_server(serve) as url:
            async with http.keep_connections():
                for _ in range(3):
                    assert isinstance(await post(url), Response)
            assert len(connections) == 1
            for _ in range(2):
                assert isinstance(await post(url), Response)
            assert len(connections) == 3

    asyncio.run(calls())


def test_a_connection_that_its_server_closed_meanwhile_is_not_reused() -> None:
    """A reply written into one would be *uncertain* for nothing."""
    closed = asyncio.Event()

    async def one_each(reader: Reader, writer: Writer) -> None:
        await read_request(reader)
        writer.write(json_response(b"{}"))
        await writer.drain()
        writer.close()
        await writer.wait_closed()
        closed.set()

    async def calls() -> None:
        async with local_server(one_each) as url, http.keep_connections():
            for _ in range(20):
                closed.clear()
                assert isinstance(await post(url), Response)
                await closed.wait()

    asyncio.run(calls())


def test_another_event_loop_has_its_own_connections() -> None:
    async def serve(reader: Reader, writer: Writer) -> None:
        while await read_request(reader):
            writer.write(json_response(b"{}"))

    async def calls() -> None:
        async with local_server(serve) as url, http.keep_connections():
            assert isinstance(await post(url), Response)
            there = await asyncio.to_thread(lambda: asyncio.run(post(url)))
            assert isinstance(there, Response)

    asyncio.run(calls())


def test_cookies_are_not_kept() -> None:
    requests: list[bytes] = []

    async def serve(reader: Reader, writer: Writer) -> None:
        while True:
            requests.append(await read_request(reader))
            writer.write(b"HTTP/1.1 200 OK\r\nSet-Cookie: tenant=1\r\nContent-Length: 0\r\n\r\n")

    async def calls() -> None:
        async with local_server(serve) as url, http.keep_connections():
            for _ in range(2):
                await post(url.replace("127.0.0.1", "localhost"))

    asyncio.run(calls())
    assert len(requests) == 2
    assert b"cookie" not in requests[1].lower()
