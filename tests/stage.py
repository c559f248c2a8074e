"""A harness for end-to-end tests: post a delivery, run the worker, check the rows and the outgoing requests.

Everything is real except the network: requests to Graph and to the model end in `Wire`, at the HTTP transport.
"""

import itertools
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import httpx2
import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.db.models import Q
from django.db.models.functions import Now
from django.test import Client
from procrastinate.contrib.django import app
from procrastinate.contrib.django.django_connector import DjangoConnector
from procrastinate.contrib.django.models import ProcrastinateJob

from operations.worker import Worker
from runtime import http
from tests.fake_network import FakeNetwork
from tests.media_at_meta import MediaAtMeta
from whatsapp.webhook.signature import sign

SECRET = "stage-secret"
SITUATION = re.compile(r"<situation>.*?</situation>\\n")
WEBHOOK = "/api/whatsapp/webhook"
Json = dict[str, Any]
Answer = Callable[[Json], httpx2.Response]


def completion(text: str | None, *calls: tuple[str, Json]) -> httpx2.Response:
    """An answer of the model. calls: tools, each with its arguments."""
    functions = [{"name": name, "arguments": json.dumps(arguments)} for name, arguments in calls]
    tool_calls = [{"id": f"call_{n}", "type": "function", "function": each} for n, each in enumerate(functions)]
    more = {"tool_calls": tool_calls} if tool_calls else {}
    usage = {"prompt_tokens": 20, "completion_tokens": 5, "total_tokens": 25}
    choice = {"index": 0, "message": {"role": "assistant", "content": text, **more}, "finish_reason": "stop"}
    answer = {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "usage": usage}
    return httpx2.Response(200, json=answer)


def lines(body: Json) -> list[str]:
    """The lines that the model is shown: what one side says in a row is one message."""
    return [line for message in body["messages"] for line in str(message["content"]).split("\n")]


def newest(body: Json) -> str:
    """The customer's newest line."""
    said = [str(message["content"]) for message in body["messages"] if message["role"] == "user"]
    return said[-1].split("\n")[-1]


def graph_error(code: int, status: int = 400) -> httpx2.Response:
    return httpx2.Response(status, json={"error": {"message": f"(#{code}) no", "code": code, "type": "OAuthException"}})


@dataclass
class Wire:
    """The outgoing requests, in order, and their responses. Replace `model` and `graph` to make them misbehave."""

    asked: list[Json] = field(default_factory=list)  # without the situation, which `situations` has
    situations: list[str] = field(default_factory=list)
    sent: list[Json] = field(default_factory=list)
    marked_read: list[Json] = field(default_factory=list)
    heard: list[bytes] = field(default_factory=list)  # the forms that contain voice notes
    embedded: list[str] = field(default_factory=list)  # the texts that vectors were asked for
    tokens: list[str] = field(default_factory=list)
    serial: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    model: Answer = lambda body: completion(f"Answer to {newest(body)}")
    hearing: Callable[[], httpx2.Response] = lambda: httpx2.Response(200, json={"text": "Two cakes, please."})
    embedding: Callable[[list[str]], httpx2.Response] = lambda texts: httpx2.Response(404)
    graph: Answer | None = None
    media: MediaAtMeta = field(default_factory=MediaAtMeta)

    async def to_model(self, request: httpx2.Request) -> httpx2.Response:
        if request.url.path.endswith("/audio/transcriptions"):
            self.heard.append(await request.aread())
            return await sync_to_async(self.hearing)()
        body = (await request.aread()).decode()
        if request.url.path.endswith("/embeddings"):
            texts: list[str] = json.loads(body)["input"]
            self.embedded += texts
            return await sync_to_async(self.embedding)(texts)
        self.situations += re.findall(r"<situation>(.*?)</situation>", body)
        self.asked.append(json.loads(SITUATION.sub("", body)))
        # In the test's own thread, so that a test can change the database while the model thinks.
        return await sync_to_async(self.model)(self.asked[-1])

    async def to_graph(self, request: httpx2.Request) -> httpx2.Response:
        if request.method == "GET":
            return self.media.get(request)
        if request.url.path.endswith("/media"):
            return self.media.take(await request.aread(), request)
        body = json.loads(request.content)
        if body.get("status") == "read":
            self.marked_read.append(body)
            return httpx2.Response(200, json={"success": True})
        self.sent.append(body)
        self.tokens.append(request.headers["Authorization"])
        return await sync_to_async(self.graph)(body) if self.graph else self.accept()

    def accept(self) -> httpx2.Response:
        message = {"id": f"wamid.out{next(self.serial):04}"}
        return httpx2.Response(200, json={"messaging_product": "whatsapp", "messages": [message]})

    @property
    def texts(self) -> list[str]:
        return [body["text"]["body"] for body in self.sent]


@dataclass
class Stage:
    client: Client
    wire: Wire
    network: FakeNetwork

    def post(self, data: object, secret: str | None = SECRET, **headers: str) -> Any:
        """Post a delivery (JSON value or raw bytes), signed unless `secret` is None."""
        body = data if isinstance(data, bytes) else json.dumps(data).encode()
        if secret is not None:
            headers.setdefault("X-Hub-Signature-256", sign(body, secret))
        return self.client.post(WEBHOOK, data=body, content_type="application/json", headers=headers)

    def work(self) -> None:
        """Run the worker until nothing is due."""
        due = ProcrastinateJob.objects.filter(Q(scheduled_at=None) | Q(scheduled_at__lte=Now()), status="todo")
        async_to_sync(_reply)()
        while due.exists():
            async_to_sync(_work)()
            async_to_sync(_reply)()

    def converse(self, data: object) -> None:
        assert self.post(data).json() == {"ok": True}
        self.work()


async def _reply() -> None:
    async with http.keep_connections():
        await Worker().run_until_idle()


async def _work() -> None:
    worker = app.with_connector(cast(DjangoConnector, app.connector).get_worker_connector())
    async with worker.open_async(), http.keep_connections():
        await worker.run_worker_async(
            wait=False, concurrency=8, delete_jobs="successful", listen_notify=False, install_signal_handlers=False
        )


@pytest.fixture
def stage(transactional_db: None, settings: Any, client: Client, tmp_path: Path, network: FakeNetwork) -> Stage:
    """A single business with credentials from the environment."""
    settings.WHATSAPP_APP_SECRETS = [SECRET]
    settings.WHATSAPP_ACCESS_TOKEN = "token-of-the-business"
    settings.OPENAI_API_KEY = "key-of-the-installation"
    settings.TURN_QUIET_SECONDS = 0
    settings.RETRY_TIME_SCALE = 0
    settings.MEDIA_ROOT = str(tmp_path / "media")
    wire = Wire()
    network.model, network.graph = wire.to_model, wire.to_graph
    return Stage(client, wire, network)
