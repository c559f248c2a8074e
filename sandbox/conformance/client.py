"""Posts deliveries to the bot, and reads in the sandbox's log what the bot did."""

import json
import secrets
import time
from dataclasses import dataclass, field
from typing import Any

import httpx2

from sandbox.identifiers import new_bsuid, new_wamid
from sandbox.models import PhoneNumber
from sandbox.phone.envelopes import Envelope, envelope, joined
from sandbox.phone.posting import USER_AGENT, sign

JSON = dict[str, Any]


@dataclass(frozen=True)
class Answer:
    """The webhook's response to a delivery. Status 0 means that there was none."""

    status: int
    text: str
    seconds: float


@dataclass(frozen=True)
class Person:
    """A new customer, so that each reply belongs to one check."""

    phone: str = field(default_factory=lambda: f"1555{secrets.randbelow(10**7):07}")
    user_id: str = field(default_factory=new_bsuid)

    def word(self) -> str:
        """A word that only this person uses."""
        return f"pelican{self.phone[4:]}"

    def ids(self, phone: bool = True, user_id: bool = True) -> JSON:
        return ({"from": self.phone} if phone else {}) | ({"from_user_id": self.user_id} if user_id else {})

    def contact(self, phone: bool = True, user_id: bool = True) -> JSON:
        known = ({"wa_id": self.phone} if phone else {}) | ({"user_id": self.user_id} if user_id else {})
        return {"profile": {"name": "Conformance"}, **known}


def message(person: Person, text: str = "", *, phone: bool = True, user_id: bool = True, **changes: Any) -> JSON:
    """A message in Meta's format, a text by default."""
    return {
        **person.ids(phone, user_id),
        "id": new_wamid(),
        "timestamp": str(int(time.time())),
        "type": "text",
        "text": {"body": text or person.word()},
        **changes,
    }


@dataclass
class Client:
    """The connections to the bot's webhook and to the sandbox whose Graph API and model the bot uses."""

    url: str
    sandbox: str
    secret: str
    number: PhoneNumber
    answers: list[Answer] = field(default_factory=list)
    people: set[Person] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._client = httpx2.Client(timeout=30, follow_redirects=False, trust_env=False)
        self._since = max((entry["id"] for entry in self._log("limit=1")), default=0)

    def close(self) -> None:
        self._client.close()

    def post(self, body: Envelope | bytes, headers: dict[str, str] | None = None) -> Answer:
        """Signs the body unless `headers` are given."""
        raw = body if isinstance(body, bytes) else self.raw(body)
        if headers is None:
            headers = {"X-Hub-Signature-256": sign(raw, self.secret)} if self.secret else {}
        answer = self._ask(
            "POST",
            self.url,
            content=raw,
            headers={"Content-Type": "application/json", "User-Agent": USER_AGENT, **headers},
        )
        self.answers.append(answer)
        return answer

    @staticmethod
    def raw(body: Envelope) -> bytes:
        return json.dumps(body).encode()

    def get(self, **parameters: str) -> Answer:
        return self._ask("GET", self.url, params={key.replace("_", ".", 1): value for key, value in parameters.items()})

    def _ask(self, method: str, url: str, **request: Any) -> Answer:
        started = time.monotonic()
        try:
            response = self._client.request(method, url, **request)
        except (httpx2.HTTPError, UnicodeError) as error:
            return Answer(0, f"{type(error).__name__}: {error}", time.monotonic() - started)
        return Answer(response.status_code, response.text, time.monotonic() - started)

    def say(self, person: Person, *messages: JSON, phone: bool = True, user_id: bool = True) -> Envelope:
        """A delivery of these messages, by default of one text."""
        self.people.add(person)
        return envelope(
            self.number,
            contacts=[person.contact(phone, user_id)],
            messages=list(messages) or [message(person, phone=phone, user_id=user_id)],
        )

    def status(self, person: Person, wamid: str, state: str) -> Envelope:
        item = {"id": wamid, "status": state, "timestamp": str(int(time.time())), "recipient_id": person.phone}
        return envelope(self.number, statuses=[item])

    def batch(self, *envelopes: Envelope) -> Envelope:
        return joined(list(envelopes))

    def seen(self) -> "Seen":
        """The log entries since the checks began."""
        return Seen(self._log(f"after={self._since}&limit=1000"))

    def _log(self, query: str) -> list[JSON]:
        response = self._client.get(f"{self.sandbox}/log?{query}")
        response.raise_for_status()
        entries: list[JSON] = response.json()["entries"]
        return entries


@dataclass(frozen=True)
class Seen:
    """Answers the checks' questions from the sandbox's log."""

    entries: list[JSON]

    def replies(self, person: Person) -> list[JSON]:
        """The messages the bot sent to this person, addressed by phone number or user ID."""
        bodies = [e["body"] for e in self.entries if e["area"] == "graph" and isinstance(e["body"], dict)]
        sent = [body for body in bodies if body.get("status") != "read"]
        return [body for body in sent if person.phone == body.get("to") or person.user_id in _recipients(body)]

    def asks_the_model(self) -> bool:
        return any(entry["area"] == "model" for entry in self.entries)

    def model_saw_together(self, *texts: str) -> bool:
        """Whether one request to the model contained all these texts: the bot knows they're one conversation."""
        asked = [json.dumps(e["body"]) for e in self.entries if e["area"] == "model"]
        return any(all(text in body for text in texts) for body in asked)


def _recipients(body: JSON) -> list[Any]:
    return [body.get("recipient"), body.get("to")]
