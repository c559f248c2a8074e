"""A model and a Graph API that answer after a set time: `python -m bench.stand_in PORT MODEL_SECONDS GRAPH_SECONDS`.

`GET /counts` says what was asked: how many of each, the most model calls at one time, and the times of the first
request of each conversation (for the delay that Parley adds).
"""

import asyncio
import itertools
import json
import sys
import time
from dataclasses import dataclass, field
from typing import Any

_serial = itertools.count(1)


@dataclass
class StandIn:
    model_seconds: float
    graph_seconds: float
    model: int = 0
    graph: int = 0
    in_flight: int = 0
    most_in_flight: int = 0
    asked_at: dict[str, float] = field(default_factory=dict)  # the newest message's text -> time
    prompts: dict[str, list[list[str]]] = field(default_factory=dict)

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
            return {**vars(self), "prompts": {}}
        if path == "/prompts":
            return dict(self.prompts)
        if path.endswith("/chat/completions"):
            return await self.complete(body["messages"])
        if body.get("status") == "read":
            return {"success": True}
        self.graph += 1
        await asyncio.sleep(self.graph_seconds)
        return {"messaging_product": "whatsapp", "messages": [{"id": f"wamid.bench.{next(_serial)}"}]}

    async def complete(self, messages: list[dict[str, Any]]) -> dict[str, Any]:
        self.asked_at.setdefault(messages[-1]["content"], time.time())
        self.model += 1
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        await asyncio.sleep(self.model_seconds)
        self.in_flight -= 1
        text = "We deliver from Monday to Saturday, between nine and six. May I take your address?"
        choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        usage = {"prompt_tokens": 200, "completion_tokens": 20, "total_tokens": 220}
        return {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "usage": usage}


async def main(port: int, model_seconds: float, graph_seconds: float) -> None:
    server = await asyncio.start_server(StandIn(model_seconds, graph_seconds).serve, "127.0.0.1", port, backlog=1024)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3])))
