"""A minimal bot that handles everything Meta delivers, and one that only answers 200."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2

from sandbox.phone.posting import sign
from sandbox.tests.graph import NUMBER


class SmallBot(BaseHTTPRequestHandler):
    graph = ""
    secret = ""
    token = ""
    blind = False
    seen: set[str]
    lock: threading.Lock

    def do_GET(self) -> None:
        asked = parse_qs(urlsplit(self.path).query)
        right = self.blind or asked.get("hub.verify_token") == [self.token]
        self.answer(200 if right else 403, asked["hub.challenge"][0] if right else "no")

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers["Content-Length"]))
        if self.blind:
            return self.answer(200, '{"ok": true}')
        if self.headers.get("X-Hub-Signature-256") != sign(raw, self.secret):
            return self.answer(403, "no")
        try:
            body = json.loads(raw)
        except (ValueError, RecursionError):
            body = {}
        for message in self.texts(body):
            self.reply(message)
        return self.answer(200, '{"ok": true}')

    def texts(self, body: Any) -> Iterator[dict[str, Any]]:
        entries = body.get("entry", []) if isinstance(body, dict) else []
        entries = entries if isinstance(entries, list) else []
        for change in (c for entry in entries if isinstance(entry, dict) for c in entry.get("changes", [])):
            for message in (change.get("value") or {}).get("messages", []):
                if isinstance(message, dict) and message.get("type") == "text" and message.get("id"):
                    yield message

    def reply(self, message: dict[str, Any]) -> None:
        with self.lock:
            if message["id"] in self.seen:
                return
            self.seen.add(message["id"])
        to = {"to": message["from"]} if "from" in message else {"recipient": message["from_user_id"]}
        body = {"messaging_product": "whatsapp", **to, "type": "text", "text": {"body": "Thanks"}}
        url = f"{self.graph}/v24.0/{NUMBER}/messages"
        httpx2.post(url, json=body, headers={"Authorization": "Bearer any"}).raise_for_status()

    def answer(self, status: int, text: str) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


@contextmanager
def running(**settings: Any) -> Iterator[str]:
    """The URL of a bot with these attributes."""
    kind = type("Bot", (SmallBot,), {"seen": set(), "lock": threading.Lock(), **settings})
    server = ThreadingHTTPServer(("127.0.0.1", 0), kind)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()
