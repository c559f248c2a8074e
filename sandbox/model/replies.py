"""The replies of the model stand-in.

It plays the assistant that its instructions describe: it answers with the prices, hours and sentences in them, takes
orders, remembers what was said, and hands over. It depends only on the messages, so a demo is easy to follow.
"""

import itertools
import json
import re
from dataclasses import dataclass
from typing import Any

from sandbox.model import orders
from sandbox.model.knowledge import Knowledge
from sandbox.model.language import LANGUAGES, Language, language_of, means, said
from sandbox.model.orders import Order, Turns

NAME_TOLD = re.compile(
    r"\b(?:my name is|call me|i am called|i'm called|ich heiße|mein name ist|me llamo|mi nombre es)\s+"
    r"([^\W\d_][\w'-]*)",
    re.I,
)
NAME_ASKED = re.compile(r"\b(what('s| is) my name|who am i|wie heiße ich|cómo me llamo)\b", re.I)
RECALL = re.compile(
    r"\b(what|which)\b.*\b(remember|recall|know about me|have i (said|told))\b|\bdo you remember\b", re.I
)
FIRST = re.compile(r"\bmy (very )?first (message|question|words?)\b", re.I)
LAST = re.compile(r"\bmy (last|previous) (message|question)\b", re.I)
COUNT = re.compile(r"\bhow many (messages|questions|times)\b", re.I)
SITUATION = re.compile(r"<situation>\s*(.*?)\s*</situation>\s*", re.DOTALL)
KNOWN_NAME = re.compile(r'Known about the customer: \{.*?"name": "([^"\s+]+)')
LONGEST_LIST = 8
ENGLISH = LANGUAGES[0]  # the team's language


@dataclass(frozen=True, slots=True)
class Talk:
    """The conversation as the model got it."""

    instructions: str
    situation: str  # what changes with every reply: the time, and what is known about the customer
    turns: Turns
    images: int
    results: list[str]  # of the tools it called for the latest message

    @property
    def said(self) -> list[str]:
        return [text for role, text in self.turns if role == "user"]

    @property
    def latest(self) -> str:
        return self.said[-1] if self.said else ""

    @property
    def last_reply(self) -> str:
        return next((text for role, text in reversed(self.turns) if role == "assistant"), "")

    @property
    def offered_a_colleague(self) -> bool:
        return said("unknown", self.last_reply) or said("uninstructed", self.last_reply)

    @property
    def name(self) -> str:
        """The last name the customer gave, or that of their profile, or ''."""
        found = [match[1].capitalize() for text in self.said for match in NAME_TOLD.finditer(text)]
        return (found or KNOWN_NAME.findall(self.situation) or [""])[-1]

    @property
    def language(self) -> Language:
        return language_of(self.said)

    @property
    def knowledge(self) -> Knowledge:
        return Knowledge(self.instructions)

    @property
    def order(self) -> Order:
        return orders.read(self.turns, self.knowledge, self.name)

    @property
    def next_step(self) -> str:
        """What happens after handing over: what the tool said, or our own words."""
        told = max(self.results, key=len, default="").rpartition(": ")[2]
        return told if told and self.language.code == "en" else self.language.say("colleague")


def read(messages: list[dict[str, Any]]) -> Talk:
    instructions = [text_of(m.get("content")) for m in messages if m.get("role") in ("system", "developer")]
    users = [m for m in messages if m.get("role") == "user"]
    results = itertools.takewhile(lambda m: m.get("role") != "user", reversed(messages))
    situations = [found[1] for m in users if (found := SITUATION.search(text_of(m.get("content"))))]
    return Talk(
        instructions="\n".join(instructions),
        situation="\n".join(situations),
        turns=[
            (str(m["role"]), SITUATION.sub("", text_of(m.get("content"))))
            for m in messages
            if m.get("role") in ("user", "assistant") and m.get("content")
        ],
        images=_images(users[-1].get("content")) if users else 0,
        results=[text_of(m.get("content")) for m in results if m.get("role") == "tool"],
    )


def text_of(content: Any) -> str:
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    return " ".join(str(part.get("text", "")) for part in parts if isinstance(part, dict)).strip()


def _images(content: Any) -> int:
    parts = content if isinstance(content, list) else []
    return sum(isinstance(part, dict) and part.get("type") == "image_url" for part in parts)


# --- Tools ---


def tool_calls(body: dict[str, Any]) -> list[dict[str, Any]]:
    """Calls of the tools it's offered, if it hasn't called them yet for the latest message."""
    talk = read(body["messages"])
    functions = [tool.get("function", {}) for tool in body.get("tools") or []]
    offered = {str(function.get("name")): function for function in functions}
    reason, summary = handover(talk)
    if "hand_over" not in offered or talk.results or not reason:
        return []
    calls = [("hand_over", {"reason": reason, "summary": summary})]
    if reason == "sale" and (noted := _noted(talk, offered.get("note_lead", {}))):
        calls.append(("note_lead", noted))
    return [
        {"id": f"call_{number}", "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}
        for number, (name, arguments) in enumerate(calls, start=1)
    ]


def handover(talk: Talk) -> tuple[str, str]:
    """The reason for handing over and a summary for the team; '' if there's none."""
    order = talk.order
    if order.step == "ordered":
        wanted = order.described(talk.latest, ENGLISH)
        return "sale", f"{order.name} orders {wanted} for {order.day}. The total is {order.total}."
    latest = f"Their last message: “{_short(talk.latest, 120)}”"
    if means("complaint", talk.latest):
        return "complaint", f"The customer complains. {latest}"
    if means("person", talk.latest):
        return "asked", f"The customer asks for a person. {latest}"
    if means("yes", talk.latest) and talk.offered_a_colleague:
        question = talk.said[-2] if len(talk.said) > 1 else talk.latest
        return "cant_answer", f"The assistant couldn't answer the customer's question: “{_short(question, 120)}”"
    return "", ""


def _noted(talk: Talk, function: dict[str, Any]) -> dict[str, str]:
    """The order and its day, for the fields that ask for them."""
    order, noted = talk.order, {}
    for name, schema in function.get("parameters", {}).get("properties", {}).items():
        if "YYYY-MM-DD" in schema.get("description", ""):
            noted[name] = order.date(talk.situation)
        elif "order" in name:
            noted[name] = order.described(talk.latest, ENGLISH)
    return {name: value for name, value in noted.items() if value}


# --- Replies ---


def reply(talk: Talk) -> str:
    """A short answer to the latest message, ended as the instructions say."""
    ending = talk.knowledge.ending
    text = _about_images(talk) if talk.images else _reply(talk)
    return f"{text} {ending}" if ending else text


def _reply(talk: Talk) -> str:
    order, say = talk.order, talk.language.say
    reason, _ = handover(talk)
    if reason and reason != "sale":
        return say("sorry" if reason == "complaint" else "person", next=talk.next_step)
    if order.step:
        return orders.reply_to(order, talk.turns, talk.language, talk.next_step if talk.results else "")
    for pattern, answer in _ABOUT_THE_TALK:
        if pattern.search(talk.latest):
            return answer(talk)
    return _from_knowledge(talk) or _small_talk(talk)


def _small_talk(talk: Talk) -> str:
    latest, say = talk.latest, talk.language.say
    if means("thanks", latest):
        return say("welcome")
    if means("no", latest) and talk.offered_a_colleague:
        return say("how_can_i_help")
    if means("bye", latest):
        return say("bye", name=_comma(talk.name))
    if NAME_TOLD.search(latest):
        return say("nice", name=talk.name)
    if means("greeting", latest):
        return _greet(talk)
    if talk.knowledge.items or talk.knowledge.hours:
        return say("unknown")
    return say("uninstructed", text=_short(latest))


def _from_knowledge(talk: Talk) -> str:
    """An answer from the instructions; '' if they have none."""
    knowledge, latest, say = talk.knowledge, talk.latest, talk.language.say
    if means("hours", latest) and knowledge.hours:
        return say("hours", hours=talk.language.translated(knowledge.hours))
    sentence = knowledge.sentence_about(latest)
    if sentence and knowledge.has_topic(latest):
        return say("noted", sentence=sentence)
    clear, unclear = knowledge.named(latest)
    asks_for_price = means("price", latest)
    if (asks_for_price or latest.rstrip().endswith("?")) and len(clear) == 1 and not unclear:
        (item,) = clear
        name = talk.language.translated(item.named_as(latest))
        return f"{say('price', item=name[:1].upper() + name[1:], price=item.money(item.price))} {say('order_it')}"
    if named := [*clear, *unclear]:
        return orders.price_list(named, latest, talk.language)
    if sentence:
        return say("noted", sentence=sentence)
    if asks_for_price and knowledge.items:
        return orders.price_list(knowledge.items[:LONGEST_LIST], latest, talk.language)
    return ""


def _greet(talk: Talk) -> str:
    language, knowledge = talk.language, talk.knowledge
    business = knowledge.business
    who = language.say("assistant_of", business=business) if business else language.say("assistant")
    greeting = knowledge.greeting or language.say("greeting")
    more = language.say("again" if len(talk.said) > 1 else "how_can_i_help")
    return f"{language.say('hello', greeting=greeting, name=_comma(talk.name), who=who)} {more}"


def _say_name(talk: Talk) -> str:
    return talk.language.say("your_name" if talk.name else "no_name", name=talk.name)


def _say_first(talk: Talk) -> str:
    return f"Your first message that I can see was: “{_short(talk.said[0])}”."


def _say_last(talk: Talk) -> str:
    if len(talk.said) < 2:
        return "This is your first message."
    return f"Your previous message was: “{_short(talk.said[-2])}”."


def _say_count(talk: Talk) -> str:
    """Only counts what the bot sent: it may leave out the oldest messages."""
    count = len(talk.said)
    return f"I can see {count} message{'' if count == 1 else 's'} of yours in this conversation."


def _say_all(talk: Talk) -> str:
    before = talk.said[:-1]
    if not before:
        return "This is your first message, so there's nothing to remember yet."
    lines = "\n".join(f"{number}. {_short(text, 80)}" for number, text in enumerate(before, 1))
    return f"I remember what you wrote in this conversation:\n{lines}"


_ABOUT_THE_TALK = (
    (NAME_ASKED, _say_name),
    (FIRST, _say_first),
    (LAST, _say_last),
    (COUNT, _say_count),
    (RECALL, _say_all),
)


def _about_images(talk: Talk) -> str:
    count = "a picture" if talk.images == 1 else f"{talk.images} pictures"
    caption = talk.latest.removeprefix("[image]").strip()
    words = f" and read: “{_short(caption)}”" if caption else ""
    return f"I can see {count}{words}. What would you like to know about it?"


def _comma(name: str) -> str:
    return f", {name}" if name else ""


def _short(text: str, limit: int = 200) -> str:
    plain = " ".join(text.split())
    return plain if len(plain) <= limit else plain[: limit - 1].rstrip() + "…"
