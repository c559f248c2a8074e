"""What changes with every reply: the time, opening hours, what is known about the customer, and what was found.

The model is told in one block at the start of what it has to answer, so that the instructions and the history before
it can be cached. All of it is data, never instructions. No other text of the prompt contains a tag (`untagged`).
"""

import datetime as dt
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from assistant.model.text import untagged
from assistant.models import Assistant, OutOfHours
from conversations.models import ConversationMessage
from runtime.untrusted_json import Json
from tenants.hours import Hours

PERSON_WILL_REPLY = "A member of the team will reply here."
LONGEST_WORDS = 40  # characters
_PLAIN = re.compile(r"[^\s_:;!?<>{}()\[\]]+(?: [^\s_:;!?<>{}()\[\]]+){0,2}")  # three words at most
SAY_WHEN_BACK = "The team is away. Mention when it is back."


@dataclass(frozen=True, slots=True)
class Situation:
    """At the time of a claim. facts: what is known about the customer."""

    now: dt.datetime
    hours: Hours
    facts: Mapping[str, object]
    is_open: bool

    @classmethod
    def at(cls, now: dt.datetime, hours: Hours, name: str, fields: Mapping[str, object]) -> "Situation":
        named = {"name": name} if name else {}
        return cls(now, hours, {**named, **fields}, hours.is_open(now))

    @property
    def next_step(self) -> str:
        """What happens after asking for a person, as the customer should hear it."""
        if self.hours.weekly is None:
            return PERSON_WILL_REPLY
        if self.is_open:
            closes = self.hours.closes_at(self.now) or self.now
            return f"{PERSON_WILL_REPLY} The team is there until {closes.astimezone(self.hours.zone):%H:%M}."
        opens = self.hours.opens_at(self.now)
        when = f" and is back on {self.hours.named(opens)}" if opens else ""
        return f"The team is away now{when}. Then a member of the team will reply here."

    @property
    def has_data(self) -> bool:
        """Whether what is known about the customer is more than names and single words."""
        texts = [value for value in self.facts.values() if isinstance(value, str)]
        return any(len(text) > LONGEST_WORDS or not _PLAIN.fullmatch(text) for text in texts)

    def is_silent(self, assistant: Assistant) -> bool:
        return not self.is_open and assistant.out_of_hours == OutOfHours.SILENT

    def away_text(self, assistant: Assistant, history: Sequence[ConversationMessage]) -> str:
        """What the customer is told once in each closed period; '' if there's nothing to tell now."""
        if not self.is_silent(assistant):
            return ""
        since = self.hours.closed_since(self.now)
        told = (message for message in history if message.origin == "assistant" and message.text == assistant.away_text)
        return "" if any(since is None or message.created_at >= since for message in told) else assistant.away_text

    def added_to(
        self, messages: Sequence[Json], assistant: Assistant, sections: Sequence[str] = (), to_answer: int = 1
    ) -> list[Json]:
        """The messages, with the block at the start of those that are to be answered: the last `to_answer`.

        sections: what was found for this reply, each with a heading.
        """
        changed = list(messages)
        users = [place for place, message in enumerate(changed) if message["role"] == "user"]
        if users:
            place = users[-max(1, min(to_answer, len(users)))]
            block = f"<situation>\n{untagged(self.described(assistant, sections))}\n</situation>\n"
            changed[place] = {**changed[place], "content": _before(block, changed[place]["content"])}
        return changed

    def described(self, assistant: Assistant, sections: Sequence[str] = ()) -> str:
        lines = [f"Now: {self.hours.describe(self.now)}"]
        if self.facts:
            lines.append(f"Known about the customer: {json.dumps(self.facts, ensure_ascii=False)}")
        if not self.is_open and assistant.out_of_hours == OutOfHours.SAYS:
            lines.append(SAY_WHEN_BACK)
        return "\n".join([*lines, *sections])


def _before(block: str, content: object) -> object:
    if not isinstance(content, list):
        return f"{block}{content}"
    first, *rest = content
    if first.get("type") == "text":
        return [{**first, "text": f"{block}{first['text']}"}, *rest]
    return [{"type": "text", "text": block}, *content]
