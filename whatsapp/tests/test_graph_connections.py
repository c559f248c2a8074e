"""What only a real server can do to a call: hang, trickle, disconnect or refuse. Also, reuse of connections."""

import asyncio

import pytest
from pytest_django import Settings

from runtime import http
from tests.local_server import Serve, json_response, local_server, nobody_listens, read_request, reset
from whatsapp.graph import client
from whatsapp.graph.client import GraphError

from .conftest import TOKEN
from .fake_graph import WAMID, accepted, outbound


async def outcome_of(address: str, settings: Settings) -> GraphError | str:
    settings.WHATSAPP_GRAPH_URL = address
    try:
        return await client.send(outbound(), TOKEN)
    except GraphError as error:
        return error


def failure_from(serve: Serve, settings: Settings) -> GraphError:
    async def call() -> GraphError | str:
        async with local_server(serve) as address:
            return await outcome_of(address, settings)

    outcome = asyncio.run(call())
    assert isinstance(outcome, GraphError)
    return outcome


async def take_and_close(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await read_request(reader)


async def close_at_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None: ...


async def cut_the_answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await read_request(reader)
    writer.write(json_response(b'{"messages": [{"id": "wam', length=1000))


async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await read_request(reader)
    await asyncio.Event().wait()


async def trickle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await read_request(reader)
    writer.write(json_response(b"", length=1000))
    for _ in range(1000):
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("serve", [take_and_close, close_at_once, cut_the_answer, hang, trickle])
def test_it_does_not_know_what_became_of_a_request_without_an_answer(serve: Serve, graph_settings: Settings) -> None:
    graph_settings.GRAPH_SECONDS = 0.4
    error = failure_from(serve, graph_settings)
    assert (error.uncertain, error.before_a_byte) == (True, False)


async def reset_after_the_headers(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    reset(writer)


async def reset_after_the_body(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await read_request(reader)
    reset(writer)


@pytest.mark.parametrize("serve", [reset_after_the_headers, reset_after_the_body])
@pytest.mark.parametrize("reused", [False, True])
def test_it_never_sends_again_what_was_reset(serve: Serve, reused: bool, graph_settings: Settings) -> None:
    """Some clients call this a timeout while connecting, and some try a reused connection's request again."""
    connections = 0

    async def counted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        if reused:
            await read_request(reader)
            writer.write(json_response(accepted().content))
        await serve(reader, writer)

    async def calls() -> GraphError | str:
        async with local_server(counted) as address, http.keep_connections():
            if reused:
                assert await outcome_of(address, graph_settings) == WAMID
            return await outcome_of(address, graph_settings)

    error = asyncio.run(calls())
    assert isinstance(error, GraphError)
    assert (error.uncertain, error.before_a_byte, connections) == (True, False, 1)


def test_it_does_not_follow_redirects(graph_settings: Settings) -> None:
    requests: list[bytes] = []

    async def redirect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        requests.append(await read_request(reader))
        writer.write(b"HTTP/1.1 307 Temporary Redirect\r\nLocation: /again\r\nContent-Length: 0\r\n\r\n")

    assert failure_from(redirect, graph_settings).http_status == 307
    assert len(requests) == 1


@pytest.mark.parametrize("address", ["http://no-such-host.invalid", ""])
def test_it_knows_that_nothing_went_out_when_nobody_is_there(address: str, graph_settings: Settings) -> None:
    async def call() -> GraphError | str:
        return await outcome_of(address or await nobody_listens(), graph_settings)

    error = asyncio.run(call())
    assert isinstance(error, GraphError)
    assert (error.uncertain, error.before_a_byte) == (False, True)


def test_it_knows_that_nothing_went_out_while_tls_is_not_agreed(graph_settings: Settings) -> None:
    """The server accepts the connection but never answers the handshake: connecting must time out before the whole call
    does."""
    graph_settings.GRAPH_SECONDS = 0.8

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    async def call() -> GraphError | str:
        async with local_server(silent) as address:
            return await outcome_of(address.replace("http:", "https:"), graph_settings)

    error = asyncio.run(call())
    assert isinstance(error, GraphError)
    assert (error.uncertain, error.before_a_byte) == (False, True)


def test_it_uses_one_connection_for_all_accounts(graph_settings: Settings) -> None:
    connections: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(b"")
        while await read_request(reader):
            writer.write(json_response(accepted().content))

    async def calls() -> None:
        async with local_server(serve) as address, http.keep_connections():
            graph_settings.WHATSAPP_GRAPH_URL = address
            for token in ("EAAone", "EAAtwo", "EAAthree"):
                assert await client.send(outbound(), token) == WAMID

    asyncio.run(calls())
    assert len(connections) == 1
    asyncio.run(calls())  # another event loop
    assert len(connections) == 2
