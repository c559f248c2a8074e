"""A real web server as the bot's webhook, and the sandbox's URLs."""

import json
import queue
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from django.test import override_settings
from pytest_django import Settings

from sandbox.pool import pool


@dataclass
class Received:
    """A webhook as the bot received it."""

    raw: bytes
    signature: str

    @property
    def value(self) -> dict[str, Any]:
        value: dict[str, Any] = json.loads(self.raw)["entry"][0]["changes"][0]["value"]
        return value


@dataclass
class Bot:
    """Receives webhooks. Answers with the statuses in `answers`, then always 200."""

    url: str = ""
    answers: list[int] = field(default_factory=list)
    received: "queue.Queue[Received]" = field(default_factory=queue.Queue)

    def next(self) -> Received:
        return self.received.get(timeout=10)

    def next_statuses(self, count: int) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        while len(found) < count:
            found += self.next().value["statuses"]
        return found


@pytest.fixture
def bot(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bot]:
    taker = Bot()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(taker.answers.pop(0) if taker.answers else 200)
            self.send_header("Content-Length", "0")
            self.end_headers()
            taker.received.put(Received(raw, self.headers.get("X-Hub-Signature-256", "")))

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    taker.url = f"http://127.0.0.1:{server.server_port}/webhook"
    settings.SANDBOX_WEBHOOK_URL = taker.url
    settings.WHATSAPP_APP_SECRETS = ["newest", "older"]
    monkeypatch.setattr("sandbox.phone.posting.RETRY_SECONDS", (0.05,) * 3)
    yield taker
    assert pool.stop(10)
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="session", autouse=True)
def _no_collected_files() -> Iterator[None]:
    """WhiteNoise would warn about a folder that only `collectstatic` creates."""
    with override_settings(WHITENOISE_AUTOREFRESH=True):
        yield


@pytest.fixture(autouse=True)
def _mounted(settings: Settings) -> None:
    settings.ROOT_URLCONF = "sandbox.tests.urls"
