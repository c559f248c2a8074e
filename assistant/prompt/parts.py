"""The whole prompt of a turn, part by part, for the turn's page.

A turn stores which messages it showed and what changed with every reply, not the messages' texts: what a customer
deletes disappears here, too. So the page rebuilds the prompt from today's rows, and says what has changed since.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from assistant.model import context
from assistant.model.text import TOKEN_CHARACTERS
from assistant.models import Assistant, Turn
from conversations.files import attachments
from conversations.models import ConversationMessage
from knowledge import search
from knowledge.models import Chunk
from knowledge.search import Passage
from runtime.untrusted_json import Json, as_dict, as_list, as_text

from . import recall

LONGEST_SITUATION = 4_000  # characters that are stored
CHANGED = "The instructions have been changed since."


@dataclass(frozen=True, slots=True)
class Part:
    """tokens: when it was sent, about. note: how it differs from what was sent."""

    title: str
    text: str
    tokens: int
    note: str = ""


def tokens(text: str) -> int:
    return -(-len(text) // TOKEN_CHARACTERS)


def recorded(
    assistant: Assistant,
    tools: Sequence[Json],
    history: Sequence[context.Shown],
    situation: str,
    recalled: recall.Recalled,
    passages: Sequence[Passage],
) -> Json:
    """What a turn stores of its prompt."""
    return {
        "instructions": tokens(assistant.instructions),
        "tools": tokens(json.dumps(tools)) if tools else 0,
        "history": sum(tokens(each.text) for each in history),
        "images": sum(len(each.images) for each in history),
        "situation": situation[:LONGEST_SITUATION],
        "knowledge": sum(tokens(f"{each.name}{each.text}") for each in passages),
        "passages": [each.chunk_id for each in passages],
        "recalled": recalled.ids,
        "recalled_tokens": tokens(recalled.text),
    }


def parts_of(turn: Turn) -> list[Part]:
    """In the order in which the model was shown them. Empty for a turn that didn't ask a model."""
    stored = as_dict(turn.prompt)
    if not stored:
        return []
    assistant = Assistant.of(turn.tenant_id)
    changed = "" if assistant.instructions_hash == turn.instructions_hash else CHANGED
    found = [
        Part("Instructions", "" if changed else assistant.instructions, _number(stored, "instructions"), changed),
        Part("Tools", "", _number(stored, "tools"), "This page doesn't show their descriptions."),
        _knowledge(turn, stored),
        _history(turn, stored, assistant),
        Part("Situation", as_text(stored.get("situation")), tokens(as_text(stored.get("situation")))),
        _recalled(turn, stored),
        *_steps(turn),
    ]
    return [part for part in found if part.tokens or part.text]


def _history(turn: Turn, stored: Mapping[str, object], assistant: Assistant) -> Part:
    rows = ConversationMessage.objects.filter(conversation=turn.conversation_id, pk__in=turn.seen_messages)
    messages = list(rows.defer("raw_json").order_by("created_at", "pk"))
    shown = context.show(messages, turn.first_message_id, attachments.of(messages), assistant.sees_images)
    text = "\n".join(f"{each.role}: {each.text}" for each in shown)
    was, images = _number(stored, "history"), _number(stored, "images")
    notes = [f"With {images} images." if images else ""]
    if sum(tokens(each.text) for each in shown) != was:
        notes.append("Some of these messages have been changed or deleted since, or weren't accepted by the model.")
    return Part("Messages", text, was, " ".join(filter(None, notes)))


def _knowledge(turn: Turn, stored: Mapping[str, object]) -> Part:
    ids = [pk for pk in as_list(stored.get("passages")) if isinstance(pk, int)]
    chunks = search.shown(Chunk.objects.filter(tenant=turn.tenant_id)).in_bulk(ids)
    passages = [(number, Passage.of(chunks[pk])) for number, pk in enumerate(ids, start=1) if pk in chunks]
    text = "\n\n".join(f"[{number}] {each.name}\n{each.text}" for number, each in passages)
    note = "" if len(passages) == len(ids) else "Some of these passages have been changed or deleted since."
    return Part("Knowledge", text, _number(stored, "knowledge"), note)


def _recalled(turn: Turn, stored: Mapping[str, object]) -> Part:
    ids = [pk for pk in as_list(stored.get("recalled")) if isinstance(pk, int)]
    text = recall.rebuilt(turn.conversation_id, ids).text if ids else ""
    was = _number(stored, "recalled_tokens")
    note = "" if tokens(text) == was else "Some of these messages have been changed or deleted since."
    return Part("Recalled messages", text, was, note)


def _steps(turn: Turn) -> list[Part]:
    found = []
    for step in turn.steps.filter(generation=turn.generation).order_by("position"):
        text = "\n".join(f"{call['name']}: {call['arguments']}\n→ {call['result']}" for call in step.calls)
        found.append(Part(f"Tool calls, step {step.position + 1}", text, tokens(text)))
    return found


def _number(stored: Mapping[str, object], name: str) -> int:
    value = stored.get(name)
    return value if isinstance(value, int) else 0
