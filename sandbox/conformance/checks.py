"""Difficult deliveries, and what a correct bot does with them."""

import secrets
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

from sandbox.conformance.client import Answer, Client, Person, Seen, message
from sandbox.identifiers import new_wamid
from sandbox.phone.posting import sign

OK = 200


class Check(Protocol):
    """`send` posts the deliveries. `missed` returns what the bot got wrong, or ''."""

    says: ClassVar[str]

    def send(self, client: Client) -> None: ...
    def missed(self, seen: Seen) -> str: ...


def refused(answer: Answer) -> bool:
    return answer.status in (401, 403)


def one_reply(seen: Seen, person: Person) -> str:
    count = len(seen.replies(person))
    return "" if count == 1 else f"expected 1 reply, saw {count}"


def no_reply(seen: Seen, person: Person) -> str:
    count = len(seen.replies(person))
    return "" if count == 0 else f"expected no reply, saw {count}"


def not_ok(answers: list[Answer]) -> str:
    bad = sorted({answer.status for answer in answers if answer.status != OK})
    return f"answered with {', '.join(map(str, bad))} instead of 200, so Meta would retry for 7 days" if bad else ""


@dataclass
class Deliveries:
    """What most checks keep between sending and evaluating."""

    person: Person = field(default_factory=Person)
    answers: list[Answer] = field(default_factory=list)


class OneReply(Deliveries):
    says: ClassVar[str] = "a text gets one reply"

    def send(self, client: Client) -> None:
        self.answers.append(client.post(client.say(self.person)))

    def missed(self, seen: Seen) -> str:
        return not_ok(self.answers) or one_reply(seen, self.person)


class Duplicates(Deliveries):
    says: ClassVar[str] = "the same delivery five times, three of them at once, gets one reply"

    def send(self, client: Client) -> None:
        body = client.say(self.person)
        self.answers += [client.post(body), client.post(body)]
        with ThreadPoolExecutor(3) as pool:
            self.answers += pool.map(client.post, [body] * 3)

    def missed(self, seen: Seen) -> str:
        return not_ok(self.answers) or one_reply(seen, self.person)


@dataclass
class Batch(Deliveries):
    says: ClassVar[str] = "every entry, change and message of a batch is handled"
    others: list[Person] = field(default_factory=lambda: [Person(), Person()])

    def send(self, client: Client) -> None:
        value = client.say(self.person)
        changes = [*value["entry"][0]["changes"], *client.say(self.others[0])["entry"][0]["changes"]]
        value["entry"][0]["changes"] = changes
        self.answers.append(client.post(client.batch(value, client.say(self.others[1]))))

    def missed(self, seen: Seen) -> str:
        without = [p for p in (self.person, *self.others) if not seen.replies(p)]
        return not_ok(self.answers) or (f"{len(without)} of 3 customers got no reply" if without else "")


class Neighbours(Deliveries):
    says: ClassVar[str] = "a broken message doesn't affect the others in the delivery"

    def send(self, client: Client) -> None:
        broken: list[Any] = [
            None,
            17,
            {},
            {"id": {}, "type": []},
            {"from": self.person.phone, "type": "text", "text": None},
        ]
        body = client.say(self.person)
        body["entry"][0]["changes"][0]["value"]["messages"][:0] = broken
        body["entry"][0]["changes"][:0] = [{"field": "messages", "value": None}]
        self.answers.append(client.post(body))

    def missed(self, seen: Seen) -> str:
        return not_ok(self.answers) or ("" if seen.replies(self.person) else "the good message got no reply")


class UnknownKinds(Deliveries):
    says: ClassVar[str] = "unknown types and fields are accepted, and the next text gets a reply"

    def send(self, client: Client) -> None:
        odd = message(self.person, type="hologram", hologram={"colour": "blue"})
        odd.pop("text")
        other = client.say(self.person)
        other["entry"][0]["changes"][0] = {"field": "weather_update", "value": {"event": "RAIN"}}
        self.answers += [
            client.post(client.say(self.person, odd)),
            client.post(other),
            client.post(client.say(self.person)),
        ]

    def missed(self, seen: Seen) -> str:
        return not_ok(self.answers) or ("" if seen.replies(self.person) else "no reply")


class UserIdOnly(Deliveries):
    says: ClassVar[str] = "a customer without a phone number is addressed by `recipient`"

    def send(self, client: Client) -> None:
        self.answers.append(client.post(client.say(self.person, phone=False)))

    def missed(self, seen: Seen) -> str:
        replies = seen.replies(self.person)
        if bad := not_ok(self.answers):
            return bad
        if not replies:
            return "no reply"
        right = replies[0].get("recipient") == self.person.user_id and not replies[0].get("to")
        return "" if right else "addressed by `to`, which Meta accepts but never delivers"


class BothIds(Deliveries):
    says: ClassVar[str] = "a customer seen first with both IDs, then with one, is recognized"

    def send(self, client: Client) -> None:
        self.first, self.second = (f"{self.person.word()}{n}" for n in ("alpha", "omega"))
        later = message(self.person, self.second, phone=False)
        self.answers.append(client.post(client.say(self.person, message(self.person, self.first))))
        self.answers.append(client.post(client.say(self.person, later, phone=False)))

    def missed(self, seen: Seen) -> str:
        return not_ok(self.answers) or together(seen, self.person, self.first, self.second)


def together(seen: Seen, person: Person, *texts: str) -> str:
    if not seen.replies(person):
        return "no reply"
    if seen.asks_the_model() and not seen.model_saw_together(*texts):
        return "the model didn't get the earlier message, so the conversation was lost"
    return ""


@dataclass
class NumberChange(Deliveries):
    says: ClassVar[str] = "a customer who changes the phone number keeps the conversation"
    new: Person = field(default_factory=Person)

    def send(self, client: Client) -> None:
        old, new = self.person, self.new
        system = {
            "type": "user_changed_number",
            "body": f"User changed from {old.phone} to {new.phone}",
            "wa_id": new.phone,
            "user_id": new.user_id,
            "previous_user_id": old.user_id,
        }
        change = message(old, type="system", system=system)
        change.pop("text")
        told = client.say(old, change)
        told["entry"][0]["changes"][0]["value"].pop("contacts")
        self.answers += [client.post(client.say(old)), client.post(told), client.post(client.say(new))]

    def missed(self, seen: Seen) -> str:
        return not_ok(self.answers) or together(seen, self.new, self.person.word(), self.new.word())


class Silence(Deliveries):
    says: ClassVar[str] = "reactions, edits and deletions get no reply"

    def send(self, client: Client) -> None:
        target = new_wamid()
        edited: dict[str, Any] = {"original_message_id": target, "message": {"type": "text", "text": {"body": "x"}}}
        for kind, content in (
            ("reaction", {"message_id": target, "emoji": "👍"}),
            ("edit", edited),
            ("revoke", {"original_message_id": target}),
        ):
            odd = message(self.person, type=kind) | {kind: content}
            odd.pop("text")
            self.answers.append(client.post(client.say(self.person, odd)))

    def missed(self, seen: Seen) -> str:
        return not_ok(self.answers) or no_reply(seen, self.person)


class Statuses(Deliveries):
    says: ClassVar[str] = "statuses that are out of order, repeated or for unknown messages are accepted"

    def send(self, client: Client) -> None:
        wamid = new_wamid()
        for state in ("read", "delivered", "sent", "sent", "teleported"):
            self.answers.append(client.post(client.status(self.person, wamid, state)))

    def missed(self, seen: Seen) -> str:
        return not_ok(self.answers) or no_reply(seen, self.person)


class BadBodies(Deliveries):
    says: ClassVar[str] = "invalid bodies don't cause server errors"

    def send(self, client: Client) -> None:
        nul = client.say(self.person, message(self.person, "nul \0 here"))
        bodies = [b"", b"{", b"null", b"[]", b"17", b"[" * 100_000, b'{"entry": NaN}', b"\xff\xfe", b'{"entry": [1]}']
        self.answers += [client.post(body) for body in bodies]
        self.nul = client.post(nul)

    def missed(self, seen: Seen) -> str:
        broken: list[Any] = [answer.status for answer in self.answers if answer.status >= 500 or answer.status == 0]
        if broken:
            return f"answered {broken[0] or 'nothing'} to {len(broken)} of {len(self.answers)} invalid bodies"
        return not_ok([self.nul])


class BadSignatures(Deliveries):
    says: ClassVar[str] = "unsigned and incorrectly signed deliveries are refused and get no reply"

    def send(self, client: Client) -> None:
        body = client.say(self.person)
        raw = Client.raw(body)
        right = sign(raw, client.secret)
        flipped = right[:-1] + ("0" if right[-1] != "0" else "1")
        for value in ("", flipped, right.removeprefix("sha256="), right[:20], "sha1=" + right[7:], sign(raw, "other")):
            self.answers.append(client.post(raw, {"X-Hub-Signature-256": value}))
        self.answers.append(client.post(raw, {}))

    def missed(self, seen: Seen) -> str:
        taken = [answer.status for answer in self.answers if not refused(answer)]
        if taken:
            return f"{len(taken)} of {len(self.answers)} got {taken[0]} instead of 403, so anyone can post"
        return no_reply(seen, self.person)


@dataclass
class Handshake(Deliveries):
    says: ClassVar[str] = "the handshake returns the challenge only for the correct verify token"
    token: str = ""

    def send(self, client: Client) -> None:
        self.challenge = str(secrets.randbelow(10**9))
        asked = {"hub_mode": "subscribe", "hub_challenge": self.challenge}
        self.wrong = client.get(**asked, hub_verify_token="not the token")  # noqa: S106
        self.right = client.get(**asked, hub_verify_token=self.token) if self.token else None

    def missed(self, seen: Seen) -> str:
        if self.wrong.status == OK:
            return "a wrong verify token was accepted"
        if self.right and (self.right.status, self.right.text) != (OK, self.challenge):
            return f"the correct verify token got {self.right.status} {self.right.text[:40]!r}"
        return ""
