"""A business's own system: a real server on this machine that records what it receives."""

import contextlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from webhooks.models import EventType
from webhooks.recording import EventDraft, record_all

Head = dict[str, str]


def record(tenant_id: int | None, type: EventType, payload: dict[str, Any], subject: int | None = None) -> int:
    """Record one event: how many deliveries that makes."""
    return record_all([EventDraft(tenant_id, type, payload, subject)])


@dataclass
class Receiver:
    """Responds with `codes` in order, then always 200; each response has `body` and `headers`."""

    url: str = ""
    codes: list[int] = field(default_factory=list)
    body: bytes = b"taken"
    headers: Head = field(default_factory=dict)
    got: list[tuple[Head, bytes]] = field(default_factory=list)
    hold: threading.Event | None = None
    posts: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))  # one per request

    def wait(self, posts: int = 1) -> bool:
        """Wait for this many more requests."""
        return all(self.posts.acquire(timeout=60) for _ in range(posts))

    @property
    def told(self) -> list[Any]:
        return [json.loads(body) for _, body in self.got]

    @property
    def types(self) -> list[str]:
        return [event["type"] for event in self.told]


@contextlib.contextmanager
def receiving() -> Iterator[Receiver]:
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            receiver.got.append((dict(self.headers), body))
            receiver.posts.release()
            if receiver.hold:
                receiver.hold.wait(60)
            self.send_response(receiver.codes.pop(0) if receiver.codes else 200)
            for name, value in {"Content-Length": str(len(receiver.body)), **receiver.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            with contextlib.suppress(ConnectionError):
                self.wfile.write(receiver.body)

        def log_message(self, *_: Any) -> None:
            """Keep it out of the tests' output."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    receiver.url = f"http://127.0.0.1:{server.server_port}/hook?from=parley"
    try:
        yield receiver
    finally:
        if receiver.hold:
            receiver.hold.set()
        server.shutdown()
        thread.join()
        server.server_close()
