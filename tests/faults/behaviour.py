"""Behaviours of Graph and the model, for `Wire.graph` and `Wire.model`."""

import asyncio
import json
import threading
from typing import Any

from .wire import Behaviour, Call, Reply


async def accept(call: Call) -> Reply:
    """Graph accepts the message."""
    return Reply(accept=True)


async def answer(call: Call) -> Reply:
    """The model answers at once, and repeats the question."""
    return completion(f"Answer to {call.text}")


def completion(text: str | None, finish: str = "stop", usage: bool = True, **message: Any) -> Reply:
    choice = {"index": 0, "message": {"role": "assistant", "content": text, **message}, "finish_reason": finish}
    body: dict[str, Any] = {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}
    if usage:
        body["usage"] = {"prompt_tokens": 20, "completion_tokens": 5, "total_tokens": 25}
    return Reply(body=body)


def calling(name: str, **arguments: Any) -> Behaviour:
    """The model calls a tool."""
    function = {"name": name, "arguments": json.dumps(arguments)}
    return always(completion(None, "tool_calls", tool_calls=[{"id": "c1", "type": "function", "function": function}]))


def slow(seconds: float, then: Behaviour) -> Behaviour:
    async def behave(call: Call) -> Reply:
        await asyncio.sleep(seconds)
        return await then(call)

    return behave


def always(reply: Reply) -> Behaviour:
    async def behave(call: Call) -> Reply:
        return Reply(**vars(reply))

    return behave


def cut(accepting: bool) -> Behaviour:
    """The connection closes without a response, whether or not the message was accepted."""
    return always(Reply(accept=accepting, cut=True))


async def hang(call: Call) -> Reply:
    await asyncio.sleep(3600)
    return Reply()


def graph_error(code: int, status: int = 400) -> Reply:
    return Reply(status, {"error": {"message": f"(#{code}) no", "code": code, "type": "OAuthException"}})


def model_error(status: int, code: str = "", message: str = "no", **headers: str) -> Reply:
    error = {"message": message, "type": code or "error", "code": code or None, "param": None}
    return Reply(status, {"error": error}, {name.replace("_", "-"): value for name, value in headers.items()})


def by_place(behaviours: dict[str, Behaviour], otherwise: Behaviour) -> Behaviour:
    """A behaviour per phone_number_id, or per name in the model's URL."""

    async def behave(call: Call) -> Reply:
        return await behaviours.get(call.place, otherwise)(call)

    return behave


def in_turn(*replies: Behaviour) -> Behaviour:
    """The first behaviour for the first request, and so on; the last one for all others."""
    left = list(replies)

    async def behave(call: Call) -> Reply:
        return await (left.pop(0) if len(left) > 1 else left[0])(call)

    return behave


class Door:
    """Holds every request until it's opened. `entered` is set when the first one arrives."""

    def __init__(self, then: Behaviour) -> None:
        self.then = then
        self.entered, self._opened = threading.Event(), threading.Event()

    async def __call__(self, call: Call) -> Reply:
        self.entered.set()
        while not self._opened.is_set():  # noqa: ASYNC110 - it is opened from another thread
            await asyncio.sleep(0.01)
        return await self.then(call)

    def wait(self) -> None:
        assert self.entered.wait(60), "no request came"

    def open(self) -> None:
        self._opened.set()
