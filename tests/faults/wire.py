"""A local server that plays both Graph and the model, logs requests, and misbehaves on demand.

It runs on its own event loop in a thread, and accepts any number of connections.
"""

import asyncio
import itertools
import json
import re
import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]


@dataclass
class Call:
    """One request: a line of the log."""

    kind: str  # send, typing or model
    place: str  # the phone_number_id, or the name in the model's URL
    token: str
    body: Json
    at: float = field(default_factory=time.monotonic)
    wamid: str = ""  # if Graph accepted it
    answered: bool = False

    @property
    def opaque(self) -> str:
        return str(self.body.get("biz_opaque_callback_data", ""))

    @property
    def text(self) -> str:
        """The text that is sent, or the last line that the model is shown."""
        if self.kind == "model":
            said = [message["content"] for message in self.body["messages"] if message["role"] == "user"]
            return str(said[-1]).rpartition("\n")[2]
        return str(self.body.get("text", {}).get("body", ""))

    @property
    def to(self) -> str:
        return str(self.body.get("to") or self.body.get("recipient") or "")


@dataclass
class Reply:
    """The response. `cut`: none, the connection closes. `accept`: Graph accepts the message, with or without a
    response."""

    status: int = 200
    body: Json | str = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    accept: bool = False
    cut: bool = False
    trickle: float = 0  # seconds between the bytes


Behaviour = Callable[[Call], Awaitable[Reply]]
_MESSAGES = re.compile(r"/v[\d.]+/(\w+)/messages")
_MODEL = re.compile(r"/model/([\w-]+)/v1/chat/completions")


class Wire:
    def __init__(self, graph: Behaviour, model: Behaviour) -> None:
        self.graph, self.model = graph, model
        self.calls: list[Call] = []
        self.on_accept: Callable[[Call], Awaitable[None]] | None = None
        self._serial = itertools.count(1)
        self._loop = asyncio.new_event_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._servers: list[asyncio.Server] = []
        self.port = self.listen(self._serve)
        self.url = f"http://127.0.0.1:{self.port}"

    def run(self, work: Any) -> Any:
        """Run a coroutine on the server's loop, from another thread."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(60)

    def listen(self, serve: Any) -> int:
        """Serve connections on the loop. Returns the port."""
        server: asyncio.Server = self.run(asyncio.start_server(serve, "127.0.0.1", 0, backlog=2000))
        self._servers.append(server)
        return int(server.sockets[0].getsockname()[1])

    def of(self, kind: str, place: str | None = None) -> list[Call]:
        return [call for call in list(self.calls) if call.kind == kind and place in (None, call.place)]

    @property
    def accepted(self) -> list[Call]:
        return [call for call in self.of("send") if call.wamid]

    def close(self) -> None:
        self.run(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _close(self) -> None:
        for server in self._servers:
            server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    def spawn(self, work: Any) -> None:
        """Start it on the loop. Call it from the loop."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while (asked := await _read(reader)) is not None:
                if not await self._answer(*asked, writer):
                    break
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    async def _answer(self, path: str, token: str, body: Json, writer: asyncio.StreamWriter) -> bool:
        """Whether to keep the connection open."""
        call = _call(path, token, body)
        if call is None:
            return await _write(writer, Reply(404, "no such page"))
        self.calls.append(call)
        reply = await self._reply(call)
        if reply.accept:
            call.wamid = f"wamid.out{next(self._serial):06}"
            if not reply.body:
                reply.body = {"messaging_product": "whatsapp", "messages": [{"id": call.wamid}]}
            if self.on_accept:
                self.spawn(self.on_accept(call))
        if reply.cut:
            return False
        call.answered = True
        return await _write(writer, reply)

    async def _reply(self, call: Call) -> Reply:
        if call.kind == "typing":
            return Reply(body={"success": True})
        return await (self.graph if call.kind == "send" else self.model)(call)


def _call(path: str, token: str, body: Json) -> Call | None:
    if found := _MODEL.fullmatch(path):
        return Call("model", found[1], token, body)
    if found := _MESSAGES.fullmatch(path):
        return Call("typing" if body.get("status") == "read" else "send", found[1], token, body)
    return None


async def _read(reader: asyncio.StreamReader) -> tuple[str, str, Json] | None:
    """(path, token, body) of the next request; None if the client has closed the connection."""
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    token = headers.get("authorization", "").removeprefix("Bearer ")
    return first.split(" ")[1].partition("?")[0], token, json.loads(body or b"{}")


async def _write(writer: asyncio.StreamWriter, reply: Reply) -> bool:
    is_text = isinstance(reply.body, str)
    content = reply.body.encode() if isinstance(reply.body, str) else json.dumps(reply.body).encode()
    headers = {
        "Content-Type": "text/html" if is_text else "application/json",
        "Content-Length": str(len(content)),
        **reply.headers,
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    writer.write(f"HTTP/1.1 {reply.status} Any\r\n{head}\r\n".encode())
    if reply.trickle:
        for byte in content:
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(reply.trickle)
    else:
        writer.write(content)
    await writer.drain()
    return True
