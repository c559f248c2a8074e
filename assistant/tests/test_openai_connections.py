"""What only a real server can do to a call: trickle, disconnect or refuse. Also, reuse of connections."""

import asyncio

from pytest_django import Settings

from assistant.model.client import chat_with_gpt
from assistant.model.errors import ModelFailed
from assistant.models import Assistant
from runtime import http
from tests.local_server import Serve, json_response, local_server, nobody_listens, read_request, reset

from .fake_model import said

HISTORY: list[dict[str, object]] = [{"role": "user", "content": "Until when?"}]


async def failure_of(address: str, settings: Settings) -> ModelFailed:
    settings.OPENAI_BASE_URL = f"{address}/v1"
    try:
        await chat_with_gpt(HISTORY)
    except ModelFailed as failure:
        return failure
    raise AssertionError("it answered")


def failure_from(serve: Serve, settings: Settings) -> ModelFailed:
    async def call() -> ModelFailed:
        async with local_server(serve) as address:
            return await failure_of(address, settings)

    return asyncio.run(call())


def test_it_gives_up_on_a_body_that_trickles(model_settings: Settings) -> None:
    """Each read is in time; the whole is not."""
    model_settings.MODEL_ATTEMPT_SECONDS = 0.3

    async def trickle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(json_response(b"", length=1000))
        for _ in range(1000):
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.01)

    failure = failure_from(trickle, model_settings)
    assert failure.kind == "timeout"
    assert failure.rule.cost_unknown


def test_a_truncated_response_is_reported(model_settings: Settings) -> None:
    async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(json_response(b'{"id', length=1000))

    failure = failure_from(cut, model_settings)
    assert failure.kind == "connection_lost"
    assert failure.rule.cost_unknown


def test_it_knows_that_a_request_may_have_arrived_when_the_connection_is_lost_after_it(
    model_settings: Settings,
) -> None:
    """The openai client's own transport calls this a timeout while connecting."""

    async def take_and_reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        reset(writer)

    failure = failure_from(take_and_reset, model_settings)
    assert failure.kind == "connection_lost"
    assert failure.rule.cost_unknown


def test_it_does_not_follow_redirects(model_settings: Settings) -> None:
    requests: list[bytes] = []

    async def redirect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        requests.append(await read_request(reader))
        writer.write(b"HTTP/1.1 307 Temporary Redirect\r\nLocation: /again\r\nContent-Length: 0\r\n\r\n")

    assert failure_from(redirect, model_settings).kind == "bad_request"
    assert len(requests) == 1


def test_a_refused_connection_is_reported(model_settings: Settings) -> None:
    async def call() -> ModelFailed:
        return await failure_of(await nobody_listens(), model_settings)

    failure = asyncio.run(call())
    assert failure.kind == "no_connection"
    assert not failure.rule.cost_unknown


def test_an_unknown_host_name_is_reported(model_settings: Settings) -> None:
    assert asyncio.run(failure_of("http://no-such-host.invalid", model_settings)).kind == "no_connection"


def test_a_server_without_tls_is_reported(model_settings: Settings) -> None:
    async def no_tls(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(5)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async def call() -> ModelFailed:
        async with local_server(no_tls) as address:
            return await failure_of(address.replace("http:", "https:"), model_settings)

    assert asyncio.run(call()).kind == "no_connection"


def test_it_keeps_connections_within_an_event_loop_and_works_in_the_next(model_settings: Settings) -> None:
    connections: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(writer)
        while await read_request(reader):
            writer.write(json_response(said("Hi").content))

    async def twice() -> None:
        async with local_server(serve) as address, http.keep_connections():
            model_settings.OPENAI_BASE_URL = f"{address}/v1"
            await chat_with_gpt(HISTORY)
            await chat_with_gpt(HISTORY, Assistant(api_key="sk-another-tenant", base_url=f"{address}/v1"))

    asyncio.run(twice())
    asyncio.run(twice())
    assert len(connections) == 2
