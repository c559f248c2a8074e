"""A digest of what an open page shows, to tell whether it has to be redrawn."""

import hashlib

from conversations.models import Conversation

from .transcript import Page


def digest(conversation: Conversation, page: Page) -> str:
    shown = [
        (
            bubble.message.pk,
            bubble.message.status,
            bubble.message.error_detail,
            len(bubble.message.edits),
            bool(bubble.message.revoked_at),
            bubble.reactions,
            bubble.info,
            [(file.state, file.error) for file in bubble.attachments],
        )
        for bubble in page.bubbles
    ]
    notes = len(page.entries) - len(page.bubbles)
    state = (notes, conversation.handled_by, conversation.operator_id, conversation.needs_person)
    return hashlib.sha256(repr((state, shown)).encode()).hexdigest()[:16]
