"""A reply waits a while for the files of the messages it answers: until they are there and read."""

import datetime as dt

from django.conf import settings
from django.db.models import OuterRef, QuerySet, Subquery
from django.db.models.functions import Now

from assistant.models import Turn
from conversations.files.attachments import OPEN, Attachment
from runtime.clock import ago

# What the model is shown something of.
KINDS = ("audio", "image", "document")


def _on_their_way() -> "QuerySet[Attachment]":
    """The files of the outer turn's messages that are still worth waiting for."""
    return Attachment.objects.filter(
        state__in=OPEN,
        kind__in=KINDS,
        created_at__gt=ago(settings.ATTACHMENT_WAIT_SECONDS),
        message__gte=OuterRef("first_message_id"),
        message__lte=OuterRef("last_message_id"),
        message__conversation=OuterRef("conversation_id"),
    )


def newest_file() -> Subquery:
    """Of a turn: when the youngest file that it waits for was announced."""
    return Subquery(_on_their_way().order_by("-created_at").values("created_at")[:1])


def until(due_at: dt.datetime, newest: dt.datetime | None) -> dt.datetime:
    """When a turn that could not be taken is to be looked at again."""
    return max(due_at, newest + dt.timedelta(seconds=settings.ATTACHMENT_WAIT_SECONDS)) if newest else due_at


def due_turns(message_id: int) -> "QuerySet[Turn]":
    """The turn that may have waited for a file of this message."""
    return Turn.objects.filter(
        state=Turn.State.COLLECTING, conversation__messages=message_id, due_at__lte=Now(), last_message__gte=message_id
    )
