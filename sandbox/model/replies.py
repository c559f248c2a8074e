"""The replies of the model stand-in. They depend only on the messages, so a demo is easy to follow."""

import itertools
import json
import re
from dataclasses import dataclass
from typing import Any

GREETING = re.compile(r"^\W*(hi|hello|hey|good (morning|afternoon|evening)|hola|bonjour|hallo|привет)\b", re.I)
NAME_TOLD = re.compile(r"\b(?:my name is|call me|i am called|i'm called)\s+([^\W\d_][\w'-]*)", re.I)
NAME_ASKED = re.compile(r"\b(what('s| is) my name|who am i)\b", re.I)
RECALL = re.compile(
    r"\b(what|which)\b.*\b(remember|recall|know about me|have i (said|told))\b|\bdo you remember\b", re.I
)
FIRST = re.compile(r"\bmy (very )?first (message|question|words?)\b", re.I)
LAST = re.compile(r"\bmy (last|previous) (message|question)\b", re.I)
COUNT = re.compile(r"\bhow many (messages|questions|times)\b", re.I)
THANKS = re.compile(r"^\W*(thanks|thank you|thx|gracias|merci|danke|спасибо)\b", re.I)
BYE = re.compile(r"^\W*(bye|goodbye|see you|ciao)\b", re.I)
PERSON = re.compile(r"\b(human|a person|real person|operator|agent|somebody real)\b", re.I)
SITUATION = re.compile(r"<situation>.*?</situation>\s*", re.DOTALL)
BUSINESS = re.compile(r"\b(?:assistant|support|receptionist|concierge)\s+(?:of|for|at)\s+([A-Z][\w&' -]{1,60})")


@dataclass(frozen=True)
class Talk:
    """The conversation as the model got it."""

    instructions: str
    said: list[str]
    images: int
    results: str = ""  # of the tools it called for the latest message

    @property
    def latest(self) -> str:
        return self.said[-1] if self.said else ""

    @property
    def name(self) -> str:
        """The last name the customer gave, or ''."""
        found = [match.group(1) for text in self.said for match in NAME_TOLD.finditer(text)]
        return found[-1].capitalize() if found else ""

    @property
    def business(self) -> str:
        found = BUSINESS.search(self.instructions)
        return found.group(1).strip() if found else ""


def read(messages: list[dict[str, Any]]) -> Talk:
    instructions = [_text(m.get("content")) for m in messages if m.get("role") in ("system", "developer")]
    users = [m for m in messages if m.get("role") == "user"]
    results = itertools.takewhile(lambda m: m.get("role") != "user", reversed(messages))
    return Talk(
        instructions="\n".join(instructions),
        said=[_text(m.get("content")) for m in users],
        images=_images(users[-1].get("content")) if users else 0,
        results=" ".join(_text(m.get("content")) for m in results if m.get("role") == "tool"),
    )


def tool_call(body: dict[str, Any]) -> dict[str, Any] | None:
    """The call of `hand_over`, if it's offered, the customer asks for a person, and it hasn't been called yet."""
    talk = read(body["messages"])
    offered = [tool.get("function", {}).get("name") for tool in body.get("tools") or []]
    if "hand_over" not in offered or talk.results or not PERSON.search(talk.latest):
        return None
    summary = f"The customer asks for a person. Their last message: “{_short(talk.latest, 120)}”"
    arguments = json.dumps({"reason": "asked", "summary": summary}, ensure_ascii=False)
    return {"id": "call_1", "type": "function", "function": {"name": "hand_over", "arguments": arguments}}


def _text(content: Any) -> str:
    if isinstance(content, str):
        return SITUATION.sub("", content)
    parts = content if isinstance(content, list) else []
    words = " ".join(str(part.get("text", "")) for part in parts if isinstance(part, dict))
    return SITUATION.sub("", words).strip()


def _images(content: Any) -> int:
    parts = content if isinstance(content, list) else []
    return sum(isinstance(part, dict) and part.get("type") == "image_url" for part in parts)


def reply(talk: Talk) -> str:
    """A short answer to the latest message."""
    latest = talk.latest
    if talk.images:
        return _about_images(talk)
    for pattern, answer in (
        (NAME_ASKED, _say_name),
        (FIRST, _say_first),
        (LAST, _say_last),
        (COUNT, _say_count),
        (RECALL, _say_all),
        (THANKS, lambda _: "You're welcome!"),
        (BYE, lambda t: f"Goodbye{_comma(t.name)}!"),
        (
            PERSON,
            lambda t: f"Of course. {t.results.rpartition(': ')[2] or 'I will ask a colleague to reply to you here.'}",
        ),
        (NAME_TOLD, lambda t: f"Nice to meet you, {t.name}. I'll remember your name."),
        (GREETING, _greet),
    ):
        if pattern.search(latest):
            return answer(talk)
    return f"You wrote: “{_short(latest)}”. {_count(talk).capitalize()} so far."


def _greet(talk: Talk) -> str:
    who = f"the assistant of {talk.business}" if talk.business else "the assistant"
    again = " Good to hear from you again." if len(talk.said) > 1 else " How can I help?"
    return f"Hello{_comma(talk.name)}! I'm {who}.{again}"


def _say_name(talk: Talk) -> str:
    return f"Your name is {talk.name}." if talk.name else "You haven't told me your name yet."


def _say_first(talk: Talk) -> str:
    return f"Your first message that I can see was: “{_short(talk.said[0])}”."


def _say_last(talk: Talk) -> str:
    if len(talk.said) < 2:
        return "This is your first message."
    return f"Your previous message was: “{_short(talk.said[-2])}”."


def _say_count(talk: Talk) -> str:
    return f"I can see {_count(talk)} in this conversation."


def _count(talk: Talk) -> str:
    """Only counts what the bot sent: it may leave out the oldest messages."""
    count = len(talk.said)
    return f"{count} message{'' if count == 1 else 's'} of yours"


def _say_all(talk: Talk) -> str:
    before = talk.said[:-1]
    if not before:
        return "This is your first message, so there's nothing to remember yet."
    lines = "\n".join(f"{number}. {_short(text, 80)}" for number, text in enumerate(before, 1))
    return f"I remember what you wrote in this conversation:\n{lines}"


def _about_images(talk: Talk) -> str:
    count = "a picture" if talk.images == 1 else f"{talk.images} pictures"
    words = f" and read: “{_short(talk.latest)}”" if talk.latest else ""
    return f"I can see {count}{words}. What would you like to know about it?"


def _comma(name: str) -> str:
    return f", {name}" if name else ""


def _short(text: str, limit: int = 200) -> str:
    plain = " ".join(text.split())
    return plain if len(plain) <= limit else plain[: limit - 1].rstrip() + "…"
