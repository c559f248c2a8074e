"""A model, a Graph API and the customers: `python -m bench.stand_in PORT MODEL_SECONDS GRAPH_SECONDS`.

Model and Graph answer after a set time. `POST /customers {"count": n, "think": s}` makes n customers write, each again
`think` seconds after a reply reached them. `GET /counts` says what happened.
"""

import asyncio
import contextlib
import itertools
import json
import sys
import time
from dataclasses import dataclass, field
from typing import Any

from whatsapp.webhook.signature import sign

from .load import delivery
from .stack import NUMBERS, SECRET, WEB_PORT

ANSWER = "We deliver from Monday to Saturday, between nine and six. May I take your address?"
FIRST = 79_000_000_000  # the number of the first customer
_serial = itertools.count(int(time.time()) % 100_000 * 10_000)


@dataclass
class StandIn:
    model_seconds: float
    graph_seconds: float
    model: int = 0
    graph: int = 0
    in_flight: int = 0
    most_in_flight: int = 0
    think: float = 0
    customers: int = 0
    refused: int = 0
    added: list[float] = field(default_factory=list)  # seconds from a message's departure to the model's request
    written: dict[str, float] = field(default_factory=dict)  # text -> when it left
    lines: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = field(default_factory=list)
    tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                path = head.split(b" ", 2)[1].decode()
                length = next(
                    (int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0
                )
                body = await reader.readexactly(length) if length else b"{}"
                answer = json.dumps(await self.answer(path, json.loads(body))).encode()
                writer.write(
                    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
                    % (len(answer), answer)
                )
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def answer(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        if path == "/counts":
            return {name: getattr(self, name) for name in ("model", "graph", "most_in_flight", "refused", "added")}
        if path == "/customers":
            self.think, self.customers, self.added, self.most_in_flight = body["think"], body["count"], [], 0
            for customer in range(body["count"]):
                self.write(customer, body["think"] * customer / body["count"])
            return {}
        if path.endswith("/chat/completions"):
            return await self.complete(body["messages"])
        if body.get("status") == "read":
            return {"success": True}
        self.graph += 1
        await asyncio.sleep(self.graph_seconds)
        if (customer := int(body["to"]) - FIRST) < self.customers:
            self.write(customer, self.think)
        return {"messaging_product": "whatsapp", "messages": [{"id": f"wamid.bench.{next(_serial)}"}]}

    async def complete(self, messages: list[dict[str, Any]]) -> dict[str, Any]:
        if left := self.written.pop(messages[-1]["content"], None):
            self.added.append(time.monotonic() - left)
        self.model += 1
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        await asyncio.sleep(self.model_seconds)
        self.in_flight -= 1
        choice = {"index": 0, "message": {"role": "assistant", "content": ANSWER}, "finish_reason": "stop"}
        usage = {"prompt_tokens": 200, "completion_tokens": 20, "total_tokens": 220}
        return {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "usage": usage}

    def write(self, customer: int, after: float) -> None:
        task = asyncio.create_task(self.deliver(customer, after))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def deliver(self, customer: int, after: float) -> None:
        await asyncio.sleep(after)
        serial = next(_serial)
        number = NUMBERS[customer % len(NUMBERS)]
        body = delivery(1, serial, serial, number, [str(FIRST + customer)])
        text = json.loads(body)["entry"][0]["changes"][0]["value"]["messages"][0]["text"]["body"]
        self.written[text] = time.monotonic()
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            if await self.post(body) == 200:
                return
        self.refused += 1
        self.write(customer, 1)

    async def post(self, body: bytes) -> int:
        if self.lines:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):  # gunicorn closes idle ones
                return await self.post_through(*self.lines.pop(), body)
        return await self.post_through(*await asyncio.open_connection("127.0.0.1", WEB_PORT), body)

    async def post_through(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, body: bytes) -> int:
        writer.write(
            b"POST /api/whatsapp/webhook HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
            b"X-Hub-Signature-256: %s\r\nContent-Length: %d\r\n\r\n%s" % (sign(body, SECRET).encode(), len(body), body)
        )
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
        await reader.readexactly(length)
        self.lines.append((reader, writer))
        return int(head.split(b" ", 2)[1])


async def main(port: int, model_seconds: float, graph_seconds: float) -> None:
    server = await asyncio.start_server(StandIn(model_seconds, graph_seconds).serve, "127.0.0.1", port, backlog=1024)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3])))
