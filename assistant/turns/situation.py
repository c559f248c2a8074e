"""What changes with every reply: the time, opening hours, and what is known about the customer.

The model is told in a block at the start of the last message, so that the instructions and the history before it can
be cached. All of it is data, never instructions.
"""

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from assistant.models import Assistant, OutOfHours
from conversations.models import ConversationMessage
from runtime.untrusted_json import Json
from tenants.hours import Hours

PERSON_WILL_REPLY = "A member of the team will reply here."
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

    def is_silent(self, assistant: Assistant) -> bool:
        return not self.is_open and assistant.out_of_hours == OutOfHours.SILENT

    def away_text(self, assistant: Assistant, history: Sequence[ConversationMessage]) -> str:
        """What the customer is told once in each closed period; '' if there's nothing to tell now."""
        if not self.is_silent(assistant):
            return ""
        since = self.hours.closed_since(self.now)
        told = (message for message in history if message.origin == "assistant" and message.text == assistant.away_text)
        return "" if any(since is None or message.created_at >= since for message in told) else assistant.away_text

    def added_to(self, messages: Sequence[Json], assistant: Assistant) -> list[Json]:
        """The messages, with the block at the start of the customer's last one."""
        lines = [f"Now: {self.hours.describe(self.now)}"]
        if self.facts:
            lines.append(f"Known about the customer: {json.dumps(self.facts, ensure_ascii=False)}")
        if not self.is_open and assistant.out_of_hours == OutOfHours.SAYS:
            lines.append(SAY_WHEN_BACK)
        block = "<situation>\n{}\n</situation>\n".format("\n".join(lines))
        changed = list(messages)
        for place in range(len(changed) - 1, -1, -1):
            if changed[place]["role"] == "user":
                changed[place] = {**changed[place], "content": _before(block, changed[place]["content"])}
                break
        return changed


def _before(block: str, content: object) -> object:
    if not isinstance(content, list):
        return f"{block}{content}"
    first, *rest = content
    if first.get("type") == "text":
        return [{**first, "text": f"{block}{first['text']}"}, *rest]
    return [{"type": "text", "text": block}, *content]
