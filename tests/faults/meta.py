"""Meta's side of the webhook: delivers, and redelivers what wasn't answered with 200."""

import asyncio
import http.client
import itertools
import json
import random
import threading
import time
from collections.abc import Awaitable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from whatsapp.tests import factories
from whatsapp.webhook.signature import sign

from .processes import SECRET
from .wire import Call, Json

NUMBER = factories.PHONE_NUMBER_ID
WEBHOOK = "/api/whatsapp/webhook"
_serial = itertools.count(1)


def said(words: str, customer: str = "1001", number: str = NUMBER, **more: Any) -> Json:
    """A customer's message. Its text says whose it is, so that a mix-up is visible everywhere."""
    more.setdefault("id", f"wamid.in{next(_serial):07}")
    more.setdefault("timestamp", str(int(time.time())))
    return factories.text_message(tagged(words, customer, number), sender=customer, **more)


def tagged(words: str, customer: str, number: str = NUMBER) -> str:
    return f"[{number}/{customer}] {words}"


def inbound(*messages: Json, number: str = NUMBER) -> Json:
    contacts = [factories.contact(f"Customer {who}", wa_id=who) for who in sorted({m["from"] for m in messages})]
    return factories.delivery(factories.change(messages=list(messages), contacts=contacts, phone_number_id=number))


def echo(customer: str = "1001", number: str = NUMBER) -> Json:
    """Someone writes from the business's WhatsApp app, which takes over the conversation."""
    message = factories.echo(to=customer, id=f"wamid.echo{next(_serial):07}", timestamp=str(int(time.time())))
    return factories.delivery(factories.change(message_echoes=[message], phone_number_id=number))


@dataclass
class Statuses:
    """Which status webhooks follow an accepted message, and how unreliably."""

    words: Sequence[str] = ("sent", "delivered")
    delay: float = 0.05
    shuffled: bool = False
    times: int = 1


@dataclass
class Meta:
    """The sender of webhooks to one port. `acknowledged`: the wamids that got a 200."""

    port: int
    acknowledged: set[str] = field(default_factory=set)
    answers: list[tuple[int, float]] = field(default_factory=list)  # (HTTP status or 0, seconds)
    statuses: Statuses | None = field(default_factory=Statuses)
    statuses_open: int = 0
    statuses_held: bool = False  # no status webhook leaves while it's true
    gave_up: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def post(self, body: Json | bytes, seconds: float = 30) -> int:
        """One attempt; 0 if there was no response."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        began = time.monotonic()
        status = _post(self.port, raw, seconds)
        with self._lock:
            self.answers.append((status, time.monotonic() - began))
            if status == 200:
                self.acknowledged.update(_wamids(raw))
        return status

    def deliver(self, *bodies: Json, seconds: float = 90) -> None:
        """Deliver each body until it's accepted."""
        for body in bodies:
            deadline = time.monotonic() + seconds
            while self.post(body) != 200:
                assert time.monotonic() < deadline, "the delivery was never taken"
                time.sleep(0.1)

    def deliver_at_once(self, bodies: Iterable[Json], threads: int = 8, pause: float = 0) -> None:
        """Deliver all of them from several threads, with a pause after each one. Raises any thread's exception."""
        waiting, errors = list(bodies)[::-1], []

        def work() -> None:
            while True:
                with self._lock:
                    if not waiting:
                        return
                    body = waiting.pop()
                try:
                    self.deliver(body)
                    time.sleep(pause)
                except AssertionError as error:
                    errors.append(error)

        crew = [threading.Thread(target=work) for _ in range(threads)]
        for thread in crew:
            thread.start()
        for thread in crew:
            thread.join()
        assert not errors, errors[0]

    def follow(self, call: Call) -> Awaitable[None]:
        """The status webhooks of an accepted message. They count as open from this call on, not from its first
        await."""
        if self.statuses is not None:
            self.statuses_open += 1
        return self._follow(call, self.statuses)

    async def _follow(self, call: Call, how: Statuses | None) -> None:
        if how is None:
            return
        words = list(how.words) * how.times
        if how.shuffled:
            random.shuffle(words)
        try:
            await asyncio.sleep(how.delay)
            while self.statuses_held and not self.gave_up:  # noqa: ASYNC110
                await asyncio.sleep(0.1)
            for word in words:
                await self._until_taken(status(word, call))
        finally:
            self.statuses_open -= 1

    async def _until_taken(self, body: Json) -> None:
        raw = json.dumps(body).encode()
        while not self.gave_up and await asyncio.to_thread(_post, self.port, raw, 30) != 200:  # noqa: ASYNC110
            await asyncio.sleep(0.2)


def status(word: str, call: Call) -> Json:
    more = {"errors": [factories.error(131026, "Message undeliverable")]} if word == "failed" else {}
    item = factories.status(
        word, wamid=call.wamid, message_id=call.opaque, recipient_id=call.to, timestamp=str(int(time.time())), **more
    )
    return factories.delivery(factories.change(statuses=[item], phone_number_id=call.place))


def _post(port: int, raw: bytes, seconds: float) -> int:
    headers = {"Content-Type": "application/json", "X-Hub-Signature-256": sign(raw, SECRET)}
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=seconds)
    try:
        connection.request("POST", WEBHOOK, raw, headers)
        response = connection.getresponse()
        response.read()
        return response.status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()


def _wamids(raw: bytes) -> list[str]:
    changes = [change for entry in json.loads(raw)["entry"] for change in entry["changes"]]
    items = [item for change in changes for item in change["value"].get("messages", [])]
    return [item["id"] for item in items if isinstance(item, dict)]
