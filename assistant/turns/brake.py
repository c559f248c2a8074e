"""Notices that the customer is a machine too: two that answer each other would never stop."""

import itertools
from collections.abc import Sequence

from django.conf import settings

from conversations.choices import MessageOrigin
from conversations.models import ConversationMessage

READING_SECONDS = 1.0
CHARACTERS_PER_SECOND = 15  # nobody types faster on a phone


def is_machine(history: Sequence[ConversationMessage]) -> bool:
    """Whether the last answers to the assistant were all the same, or all faster than a person types.

    `MACHINE_EXCHANGES` says how many are compared. history: oldest first.
    """
    exchanges: int = settings.MACHINE_EXCHANGES
    if not exchanges:
        return False
    answers: list[tuple[str, bool]] = []
    spoken = (message for message in history if message.origin != MessageOrigin.AUTOMATIC)
    for ours, theirs in itertools.pairwise(spoken):
        if ours.origin == "assistant" and theirs.role == "user":
            seconds = (theirs.created_at - ours.created_at).total_seconds()
            typing = READING_SECONDS + len(theirs.text) / CHARACTERS_PER_SECOND
            answers.append((theirs.text.strip().casefold(), seconds < typing))
        elif theirs.role != "user" and theirs.origin != "assistant":
            answers.clear()  # a person wrote
    last = answers[-exchanges:]
    if len(last) < exchanges:
        return False
    return len({text for text, _ in last}) == 1 or all(is_quick for _, is_quick in last)
