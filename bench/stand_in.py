"""A model, the Graph API, slow endpoints and customers: `python -m bench.stand_in PORT MODEL_SECONDS GRAPH_SECONDS`.

Model and Graph answer after the given time; typing marks, and files' descriptions, are answered at once.
Anything at `/slow/SECONDS/…` answers after that time, with a picture: a file of a customer, or a business's own system.
`POST /customers {"count": n, "think": s}` makes n customers write, and again `think` seconds after each reply.
`GET /counts` returns what has happened since.
"""

import asyncio
import base64
import contextlib
import itertools
import json
import re
import sys
import time
from dataclasses import dataclass, field
from typing import Any

from .load import delivery, sign
from .stack import NUMBERS, STAND_IN, WEB_PORT

FILE_SECONDS = 5
ANSWER = "We deliver from Monday to Saturday, between nine and six. May I take your address?"
FIRST = 79_000_000_000  # the phone number of the first customer
MARK = re.compile(r"\((\d+\.\d+)\)")  # what `load.delivery` puts at the end of each text
PICTURE = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
_serial = itertools.count(int(time.time()) % 100_000 * 10_000)


@dataclass
class Counts:
    """What has happened since the customers began."""

    model: int = 0
    graph: int = 0
    slow: int = 0
    most_in_flight: int = 0
    refused: int = 0
    added: list[float] = field(default_factory=list)  # seconds from a message's departure to the model's request
    first: dict[int, float] = field(default_factory=dict)  # customer -> seconds from the first message to a reply
    replied: list[float] = field(default_factory=list)  # seconds from each message's departure to its reply


@dataclass
class StandIn:
    model_seconds: float
    graph_seconds: float
    counts: Counts = field(default_factory=Counts)
    in_flight: int = 0
    think: float = 0
    customers: int = 0
    sent: dict[str, float] = field(default_factory=dict)  # mark of a text -> when it left
    began: dict[int, float] = field(default_factory=dict)  # customer -> when the first message left
    left: dict[int, float] = field(default_factory=dict)  # customer -> when the unanswered message left
    connections: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = field(default_factory=list)
    tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                method, path, _ = head.split(b"\r\n", 1)[0].decode().split(" ")
                body = await reader.readexactly(content_length(head))
                answer = await self.answer(method, path, body)
                kind = b"image/png" if answer is PICTURE else b"application/json"
                writer.write(
                    b"HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s" % (kind, len(answer), answer)
                )
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def answer(self, method: str, path: str, body: bytes) -> bytes:
        if path.startswith("/slow/"):
            self.counts.slow += 1
            await asyncio.sleep(float(path.split("/")[2]))
            return PICTURE
        return json.dumps(await self.answer_json(method, path, json.loads(body or b"{}"))).encode()

    async def answer_json(self, method: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
        if path == "/counts":
            now = time.monotonic()
            return vars(self.counts) | {"waiting": [now - left for left in self.sent.values()]}
        if path == "/customers":
            self.begin(body["count"], body["think"])
            return {}
        if path.endswith("/chat/completions"):
            return await self.complete(body["messages"])
        if method == "GET":
            return {"url": f"{STAND_IN}/slow/{FILE_SECONDS}/file", "mime_type": "image/png", "file_size": len(PICTURE)}
        if body.get("status") == "read":
            return {"success": True}
        await asyncio.sleep(self.graph_seconds)
        self.reply_arrived(int(body["to"]) - FIRST)
        return {"messaging_product": "whatsapp", "messages": [{"id": f"wamid.bench.{next(_serial)}"}]}

    def begin(self, count: int, think: float) -> None:
        self.think, self.customers, self.counts = think, count, Counts()
        self.sent.clear()
        self.began.clear()
        self.left.clear()
        for customer in range(count):
            self.write(customer, think * customer / count)

    async def complete(self, messages: list[dict[str, Any]]) -> dict[str, Any]:
        for mark in MARK.findall(json.dumps(messages[-1]["content"])):
            if left := self.sent.pop(mark, None):
                self.counts.added.append(time.monotonic() - left)
        self.counts.model += 1
        self.in_flight += 1
        self.counts.most_in_flight = max(self.counts.most_in_flight, self.in_flight)
        await asyncio.sleep(self.model_seconds)
        self.in_flight -= 1
        choice = {"index": 0, "message": {"role": "assistant", "content": ANSWER}, "finish_reason": "stop"}
        usage = {"prompt_tokens": 200, "completion_tokens": 20, "total_tokens": 220}
        return {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "usage": usage}

    def reply_arrived(self, customer: int) -> None:
        self.counts.graph += 1
        if customer in self.began:
            self.counts.first.setdefault(customer, time.monotonic() - self.began[customer])
        if customer in self.left:
            self.counts.replied.append(time.monotonic() - self.left.pop(customer))
        if 0 <= customer < self.customers:
            self.write(customer, self.think)

    def write(self, customer: int, after: float) -> None:
        task = asyncio.create_task(self.deliver(customer, after))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def deliver(self, customer: int, after: float) -> None:
        await asyncio.sleep(after)
        serial = next(_serial)
        body = delivery(1, serial, serial, NUMBERS[customer % len(NUMBERS)], [str(FIRST + customer)])
        self.sent[f"{serial}.0"] = now = time.monotonic()
        self.began.setdefault(customer, now)
        self.left[customer] = now
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            if await self.post(body) == 200:
                return
        self.counts.refused += 1
        self.write(customer, 1)

    async def post(self, body: bytes) -> int:
        if self.connections:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):  # the server closes idle ones
                return await self.post_through(*self.connections.pop(), body)
        return await self.post_through(*await asyncio.open_connection("127.0.0.1", WEB_PORT), body)

    async def post_through(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, body: bytes) -> int:
        writer.write(
            b"POST /api/whatsapp/webhook HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
            b"X-Hub-Signature-256: %s\r\nContent-Length: %d\r\n\r\n%s" % (sign(body).encode(), len(body), body)
        )
        head = await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(content_length(head))
        self.connections.append((reader, writer))
        return int(head.split(b" ", 2)[1])


def content_length(head: bytes) -> int:
    lines = (line.lower() for line in head.split(b"\r\n"))
    return next((int(line[15:]) for line in lines if line.startswith(b"content-length:")), 0)


async def main(port: int, model_seconds: float, graph_seconds: float) -> None:
    server = await asyncio.start_server(StandIn(model_seconds, graph_seconds).serve, "127.0.0.1", port, backlog=1024)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3])))
