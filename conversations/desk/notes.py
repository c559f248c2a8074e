"""Internal notes: what team members write to each other about a conversation.

They have their own table, so a note can never be sent, shown to the model, counted as a message or read by the API.
"""

import datetime as dt

from django.conf import settings
from django.contrib.auth.models import User
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import Exists, F, Q

from conversations.search_functions import Words
from tenants.users import display_name

MAX_LENGTH = 4096
MAX_PER_PAGE = 200


class ConversationNote(models.Model):
    conversation = models.ForeignKey(
        "conversations.Conversation", on_delete=models.CASCADE, related_name="notes", db_index=False
    )
    author = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    text = models.TextField()
    form_token = models.CharField(max_length=64, null=True, editable=False)
    created_at = models.DateTimeField(db_default=models.functions.Now(), editable=False)

    class Meta:
        db_table = "conversation_notes"
        constraints = [
            models.UniqueConstraint(
                fields=["conversation", "form_token"], condition=Q(form_token__isnull=False), name="note_once_by_form"
            )
        ]
        indexes = [
            # The transcript: the notes from the time that a page covers.
            models.Index(F("conversation"), F("created_at").desc(), F("id").desc(), name="note_history"),
            GinIndex(Words("text"), name="note_search"),
        ]

    def __str__(self) -> str:
        return self.text[:40]

    @property
    def author_name(self) -> str:
        return display_name(self.author) if self.author else "Former member"


def add(conversation_id: int, author: User, text: str, form_token: str | None = None) -> ConversationNote:
    """A form that's submitted twice adds one note."""
    columns = {"author": author, "text": text[:MAX_LENGTH]}
    if form_token is None:
        return ConversationNote.objects.create(conversation_id=conversation_id, **columns)
    found = {"conversation_id": conversation_id, "form_token": form_token}
    return ConversationNote.objects.get_or_create(**found, defaults=columns)[0]


def between(
    conversation_id: int,
    first: dt.datetime | None,
    before: dt.datetime | None,
    earlier: "models.QuerySet[models.Model]",
) -> list[ConversationNote]:
    """The notes on one page of the transcript, oldest first: from its `first` message until the next page begins.

    If no message is `earlier` than the first, notes from before it are included. At most the newest MAX_PER_PAGE.
    """
    rows = ConversationNote.objects.filter(conversation_id=conversation_id).select_related("author")
    if first is not None:
        rows = rows.filter(Q(created_at__gte=first) | ~Exists(earlier.filter(created_at__lt=first)))
    if before is not None:
        rows = rows.filter(created_at__lt=before)
    return list(rows.order_by("-created_at", "-id")[:MAX_PER_PAGE])[::-1]
