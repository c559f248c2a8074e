"""Notes: what people who work here write to each other about a conversation.

A table of its own, so that no note can ever be sent, shown to the model, counted as a message or told to a program.
"""

import datetime as dt

from django.conf import settings
from django.contrib.auth.models import User
from django.db import models
from django.db.models import Exists, F, Q

LONGEST = 4096
SHOWN_AT_ONCE = 200


def name_of(person: User) -> str:
    """As people here call each other."""
    return person.get_full_name() or person.get_username()


class ConversationNote(models.Model):
    conversation = models.ForeignKey(
        "conversations.Conversation", on_delete=models.CASCADE, related_name="notes", db_index=False
    )
    author = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    text = models.TextField()
    created_at = models.DateTimeField(db_default=models.functions.Now(), editable=False)

    class Meta:
        db_table = "conversation_notes"
        indexes = [
            # The transcript: the notes of the time that its page covers.
            models.Index(F("conversation"), F("created_at").desc(), F("id").desc(), name="note_history"),
        ]

    def __str__(self) -> str:
        return self.text[:40]

    @property
    def written_by(self) -> str:
        return name_of(self.author) if self.author else "Somebody who left"


def add(conversation_id: int, author: User, text: str) -> ConversationNote:
    return ConversationNote.objects.create(conversation_id=conversation_id, author=author, text=text[:LONGEST])


def between(
    conversation_id: int,
    first: dt.datetime | None,
    before: dt.datetime | None,
    earlier: "models.QuerySet[models.Model]",
) -> list[ConversationNote]:
    """The notes of one page of the transcript, oldest first: from its first message to the next page's.

    With no message `earlier` than the first, the notes from before it too. Of very many the newest.
    """
    rows = ConversationNote.objects.filter(conversation_id=conversation_id).select_related("author")
    if first is not None:
        rows = rows.filter(Q(created_at__gte=first) | ~Exists(earlier.filter(created_at__lt=first)))
    if before is not None:
        rows = rows.filter(created_at__lt=before)
    return list(rows.order_by("-created_at", "-id")[:SHOWN_AT_ONCE])[::-1]
