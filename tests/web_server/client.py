"""Raw HTTP over a socket: requests as no well-behaved client sends them."""

import http.client
import json
import socket
from collections.abc import Iterable
from typing import Any

from tests.faults.processes import SECRET
from whatsapp.webhook.signature import sign

WEBHOOK = "/api/whatsapp/webhook"
PATIENCE = 60  # seconds; nothing here is about how fast an answer comes


def head(path: str, *headers: str, method: str = "POST") -> bytes:
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", *headers, "", ""]).encode()


def delivery(body: bytes, *headers: str, path: str = WEBHOOK) -> bytes:
    return head(path, f"Content-Length: {len(body)}", f"X-Hub-Signature-256: {sign(body, SECRET)}", *headers) + body


def chunked(body: bytes, size: int = 100) -> bytes:
    parts = [body[at : at + size] for at in range(0, len(body), size)]
    framed = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts)
    return head(WEBHOOK, "Transfer-Encoding: chunked", f"X-Hub-Signature-256: {sign(body, SECRET)}") + framed


class RawClient:
    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        self._incoming = self.socket.makefile("rb")

    def send(self, *parts: bytes) -> "RawClient":
        for part in parts:
            self.socket.sendall(part)
        return self

    def end(self) -> "RawClient":
        """Nothing more will be sent."""
        self.socket.shutdown(socket.SHUT_WR)
        return self

    def response(self) -> tuple[int, bytes]:
        status = int(self._incoming.readline().split()[1])
        headers = http.client.parse_headers(self._incoming)
        return status, self._incoming.read(int(headers.get("Content-Length", 0)))

    def is_closed(self) -> bool:
        """Waits until the server sends something, or closes."""
        return not self._incoming.read(1)

    @property
    def status(self) -> int:
        return self.response()[0]

    def trickle(self, seconds: float = 0.2, times: int = 300) -> bytes:
        """Send a byte at a time until the server closes; return its response. Fails if it never closes."""
        said = b""
        self.socket.settimeout(seconds)
        for _ in range(times):
            try:
                self.socket.sendall(b"x")
                if not (part := self.socket.recv(4096)):
                    return said
                said += part
            except TimeoutError:
                continue
            except OSError:
                return said
        raise AssertionError("the server let a slow request go on")

    def close(self) -> None:
        self._incoming.close()
        self.socket.close()


def ok(responses: Iterable[tuple[int, bytes]]) -> bool:
    return all((status, body) == (200, b'{"ok":true}') for status, body in responses)


def message_body(data: Any) -> bytes:
    return json.dumps(data).encode()
