"""The assistant's own tools: `hand_over` and `note_lead`.

What a call would do is only recorded while the model thinks, and done in the transaction that closes the turn: exactly
once, and never for a dropped draft. A model that can't call tools writes the same call as one line of JSON, which is
found and removed here.
"""

import datetime as dt
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from conversations.choices import HandoverReason
from leads.models import LeadFieldType
from leads.noting import Value
from runtime.untrusted_json import Json, UnreadableJson, as_dict, as_text, clean, loads

from .looking_up import LOOK_UP

HAND_OVER, NOTE_LEAD = "hand_over", "note_lead"
LONGEST_SUMMARY, LONGEST_VALUE = 600, 500  # characters
MOST_CALLS = 8  # in one answer
HANDED_OVER = "Recorded. In your reply, tell the customer what happens next, and promise nothing else: {}"
REPLY_NOW = "Results of the tools that you used: {}\nNow write your reply to the customer."
NOTED = "Noted."
CHANGING = {HAND_OVER, NOTE_LEAD}  # the tools that change something
NOT_ASKED = (
    "Not done: nothing that the customer wrote themselves asks for this. If it seems right, ask the customer first."
)


class LeadFieldSpec(NamedTuple):
    name: str
    type: str
    description: str


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A model's call. id: the service's name for it, which the result must repeat; '' for a call found in a text.

    is_refused: it isn't done, because it isn't what the customer asks for.
    """

    name: str
    arguments: Json
    id: str = ""
    is_refused: bool = False

    @classmethod
    def read(cls, name: str, arguments: str, id: str) -> "ToolCall":
        """arguments: JSON, as the model wrote it; anything else counts as no arguments."""
        try:
            return cls(name, as_dict(loads(arguments.encode())), id)
        except UnreadableJson:
            return cls(name, {}, id)


@dataclass(frozen=True, slots=True)
class Effects:
    """What closing the turn will do. reason: None if the conversation isn't handed over."""

    reason: HandoverReason | None
    summary: str
    values: Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Toolbox:
    """The tools of one turn. next_step: what happens after handing over, as the customer should hear it."""

    fields: Sequence[LeadFieldSpec]
    next_step: str

    def definitions(self) -> list[Json]:
        """In the format of OpenAI's chat completions."""
        reasons = [reason for reason in HandoverReason if reason != HandoverReason.MACHINE]
        meanings = ", ".join(f"{reason.value} ({reason.label.lower()})" for reason in reasons)
        hand_over = _function(
            HAND_OVER,
            "Ask a member of the team to take over this conversation. Call it when the customer asks for a person, "
            "complains, or needs something you can't or mustn't decide. Never promise a person without calling it. "
            f"Afterwards, tell the customer what happens next, and promise nothing else: {self.next_step}",
            {
                "reason": {"type": "string", "enum": [reason.value for reason in reasons], "description": meanings},
                "summary": {
                    "type": "string",
                    "description": "Two sentences for the team: what the customer wants, and what was said so far.",
                },
            },
        )
        if not self.fields:
            return [hand_over]
        properties = {field.name: _schema(field) for field in self.fields}
        note = "Note what the customer has said about themselves, as soon as they say it. Never guess."
        return [hand_over, _function(NOTE_LEAD, note, properties, required=False)]

    def result(self, call: ToolCall) -> str:
        """What the model is told: that the call is recorded, or what's wrong with it."""
        if call.name == HAND_OVER:
            return HANDED_OVER.format(self.next_step)
        if call.name != NOTE_LEAD or not self.fields:
            return f"Unknown tool {call.name!r}."
        _, errors = self._values(call)
        return " ".join(errors) or NOTED

    def effects(self, calls: Sequence[ToolCall]) -> Effects:
        """What all calls of a turn ask for. The last reason, summary or value wins."""
        reason, summary = None, ""
        values: dict[str, Value] = {}
        for call in calls:
            if call.name == HAND_OVER:
                said = as_text(call.arguments.get("reason"))
                reason = HandoverReason(said) if said in HandoverReason.values else HandoverReason.OTHER
                summary = as_text(clean(call.arguments.get("summary")))[:LONGEST_SUMMARY]
            elif call.name == NOTE_LEAD:
                values |= self._values(call)[0]
        return Effects(reason, summary, values)

    def _values(self, call: ToolCall) -> tuple[dict[str, Value], list[str]]:
        """The values of the fields that exist, and what's wrong with the others."""
        given = as_dict(call.arguments.get("fields")) or call.arguments
        types = {field.name: field.type for field in self.fields}
        values: dict[str, Value] = {}
        errors = []
        for name, value in given.items():
            if name not in types:
                errors.append(f"Unknown field {name!r}.")
            elif value in (None, ""):
                continue
            elif (typed := _typed(clean(value), types[name])) is None:
                errors.append(f"{name} isn't a {LeadFieldType(types[name]).label.lower()}.")
            else:
                values[name] = typed
        return values, errors


def calls_in(text: str) -> tuple[str, list[ToolCall]]:
    """The text without the calls that it contains as JSON, and those calls."""
    names = {HAND_OVER, NOTE_LEAD, LOOK_UP}
    kept, calls, end = [], [], 0
    for start, stop, value in _objects(text):
        name = as_text(value.get("tool") or value.get("name"))
        if name in names and start >= end:
            given = value.get("arguments", value.get("parameters"))
            arguments = as_dict(given) if given is not None else {k: v for k, v in value.items() if k != "tool"}
            calls.append(ToolCall(name, as_dict(clean(arguments))))
            kept.append(text[end:start])
            end = stop
    if not calls:
        return text, []
    rest = "\n".join((*kept, text[end:]))
    return _EMPTY_FENCE.sub("", rest).strip(), calls[:MOST_CALLS]


def protocol(tools: Sequence[Json]) -> str:
    """The tools, for the instructions of a model that can't call any."""
    lines = [
        "You can use these tools. To use one, end your reply with one line of JSON and nothing after it, for example: "
        f'{{"tool": "{HAND_OVER}", "reason": "asked", "summary": "…"}}. The customer never sees that line.'
    ]
    for function in (as_dict(each["function"]) for each in tools):
        properties = as_dict(as_dict(function["parameters"])["properties"])
        arguments = "; ".join(
            f"{name}: {as_dict(schema).get('description') or as_dict(schema).get('type')}"
            for name, schema in properties.items()
        )
        lines.append(f"- {function['name']}: {function['description']} Arguments: {arguments}")
    return "\n".join(lines)


_EMPTY_FENCE = re.compile(r"```\w*\s*```")


def _function(name: str, description: str, properties: Mapping[str, Json], required: bool = True) -> Json:
    parameters = {"type": "object", "properties": properties, "required": list(properties) if required else []}
    return {"type": "function", "function": {"name": name, "description": description, "parameters": parameters}}


def _schema(field: LeadFieldSpec) -> Json:
    kind = {"number": "number", "yes_no": "boolean"}.get(field.type, "string")
    format_ = " As YYYY-MM-DD." if field.type == LeadFieldType.DATE else ""
    return {"type": kind, "description": f"{field.description or field.name.replace('_', ' ')}{format_}"}


def _typed(value: object, kind: str) -> Value | None:
    """The value as the field's type; None if it isn't one."""
    text = as_text(value)[:LONGEST_VALUE]
    match kind:
        case LeadFieldType.YES_NO:
            word = str(value).strip().lower()
            return {"true": True, "yes": True, "false": False, "no": False}.get(word)
        case LeadFieldType.NUMBER:
            try:
                number = float(text)
            except ValueError:
                return None
            return int(number) if number.is_integer() else number
        case LeadFieldType.DATE:
            try:
                return dt.date.fromisoformat(text).isoformat()
            except ValueError:
                return None
        case LeadFieldType.EMAIL:
            try:
                validate_email(text)
            except ValidationError:
                return None
            return text
        case LeadFieldType.PHONE:
            return text if len(re.sub(r"\D", "", text)) >= 5 else None
        case _:
            return text or None


def _objects(text: str) -> Iterator[tuple[int, int, Json]]:
    """(start, end, value) of the JSON objects in a text, outermost first."""
    decoder = json.JSONDecoder()
    start = text.find("{")
    while start >= 0:
        try:
            value, end = decoder.raw_decode(text, start)
        except (ValueError, RecursionError):
            end = start + 1
        else:
            if isinstance(value, dict):
                yield start, end, value
        start = text.find("{", end)
