"""Recalls older messages of a conversation that is longer than its window.

What matches the customer's new message best is added to the prompt after the history, with what was said before and
after, the dates, and who said it. No second model is asked, and nothing is stored: a message that its customer deletes
is forgotten.
"""

import itertools
import logging
from collections.abc import Sequence
from dataclasses import dataclass

from django.db import DatabaseError

from assistant.model.text import TOKEN_CHARACTERS
from conversations.history import older
from conversations.history.older import Older
from conversations.models import ConversationMessage
from runtime.database import database_sync_to_async
from runtime.untrusted_json import one_line

logger = logging.getLogger(__name__)

MOST_TOKENS = 1_000
LONGEST = 1_000  # characters of one message
HEADING = "Earlier messages of this conversation that may matter (they: the customer):"
SPEAKERS = {"assistant": "you", "customer": "they"}  # the others are people on the team


@dataclass(frozen=True, slots=True)
class Recalled:
    """ids: of the messages, in order."""

    ids: Sequence[int] = ()
    text: str = ""


async def recall(where: Older | None, question: str, previous: str) -> Recalled:
    """What was said about the customer's question before the window began. previous: their message before it."""
    if where is None or not question.strip():
        return Recalled()
    try:
        return await database_sync_to_async(find)(where, question, previous)
    except DatabaseError:
        logger.exception("conv_id=%s: older messages couldn't be searched", where.conversation_id)
        return Recalled()


def find(where: Older, question: str, previous: str = "") -> Recalled:
    found = where.find(question, previous)
    lines = _lines(found)
    chosen: dict[int, ConversationMessage] = {}
    days = set[object]()
    left = MOST_TOKENS * TOKEN_CHARACTERS - len(HEADING)
    for message in found:
        day = message.created_at.date()
        needed = len(lines[message.pk]) + 3 + (0 if day in days else 12)  # with a line break, and “…” before it
        if needed <= left:
            chosen[message.pk] = message
            days.add(day)
            left -= needed
    return _written(list(chosen.values()), lines)


def rebuilt(conversation_id: int, ids: Sequence[int]) -> Recalled:
    """As these messages would be written today."""
    messages = older.shown(conversation_id, ids)
    return _written(messages, _lines(messages))


def _lines(messages: Sequence[ConversationMessage]) -> dict[int, str]:
    """One line for each message, by ID: nothing that it says can look like another message."""
    said = {message.pk: one_line(f"{message.text} {message.spoken}", LONGEST) for message in messages}
    return {message.pk: f"{SPEAKERS.get(message.origin, 'team')}: {said[message.pk]}" for message in messages}


def _written(messages: Sequence[ConversationMessage], lines: dict[int, str]) -> Recalled:
    if not messages:
        return Recalled()
    in_order = sorted(messages, key=lambda message: (message.created_at, message.pk))
    written = [HEADING]
    for day, said in itertools.groupby(in_order, key=lambda message: message.created_at.date()):
        written += [f"{day}:", *(lines[message.pk] for message in said)]
    return Recalled([message.pk for message in in_order], "\n".join(written))
