"""The files of messages: one row a file, from the moment a message names it.

The life of a file (`Attachment.state`)::

    pending --fetched--> reading --understood, or given up: `error` says why--> ready
       |                    \\--- nothing in it to read ------------------------^
       \\--given up: `error` says why--> failed

A file that a person of the business sends is *ready* from the beginning. *pending* and *reading* are taken by a lease:
who takes one moves `next_attempt_at` beyond the time that the work may take, and `attempts` is the fence of what is
written afterwards. Rows are the truth, jobs are wake-ups, and a sweep finds what fell asleep.
"""

import functools
import uuid
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from django.core.files.base import File
from django.core.files.storage import default_storage
from django.db import models, transaction
from django.db.models import F, Q
from django.db.models.functions import Now
from django.db.models.signals import post_delete
from django.dispatch import receiver
from django.utils import timezone

from conversations.outbox.contents import FileUpload
from runtime.clock import ago, from_now

from .file_types import extension

if TYPE_CHECKING:
    from conversations.models import ConversationMessage

OPEN = ["pending", "reading"]
KINDS = ("image", "audio", "video", "document", "sticker")
KINDS_WITH_ONE = (*KINDS, "template")  # a template of ours may have one in its header
SWEPT_AT_ONCE = 500
LOST_SECONDS = 15  # a due row that no job took for this long has lost its job


def stored_name(mime_type: str) -> str:
    """A name of our own: nothing of what the sender calls it."""
    return f"attachments/{uuid.uuid4().hex}.{extension(mime_type)}"


def preview_name(name: str) -> str:
    """Of the picture that is stored under this name: always the same, so that none is left behind unknown."""
    return f"{name.rpartition('.')[0]}-small.jpg"


def opened(name: str) -> "File[bytes]":
    """A stored file, whole: one in a bucket comes over the network, so call it in a thread."""
    file = default_storage.open(name)
    _ = file.file  # only now it is fetched
    return file


class AttachmentQuerySet(models.QuerySet["Attachment"]):
    def take(self, attachment_id: int, state: str, seconds: float) -> "Attachment | None":
        """A due row of this state, ours for so many seconds; None when there is nothing to do for this job."""
        due = self.filter(pk=attachment_id, state=state, next_attempt_at__lte=Now())
        taken = due.update(attempts=F("attempts") + 1, next_attempt_at=from_now(seconds))
        mine = self.filter(pk=attachment_id).select_related("message__conversation__tenant")
        return mine.defer("message__raw_json").first() if taken else None

    def held(self, attachment: "Attachment") -> "AttachmentQuerySet":
        """This row as long as nobody took it after us."""
        return self.filter(pk=attachment.pk, state=attachment.state, attempts=attachment.attempts)

    def asleep(self, state: str) -> list[int]:
        """The ids of rows that are due and that no job took, marked as looked at. Call it in a transaction."""
        due = self.filter(
            Q(woken_at__isnull=True) | Q(woken_at__lt=ago(60)), state=state, next_attempt_at__lt=ago(LOST_SECONDS)
        )
        rows = due.select_for_update(skip_locked=True).order_by("id")
        ids = list(rows.values_list("id", flat=True)[:SWEPT_AT_ONCE])
        self.filter(pk__in=ids).update(woken_at=Now())
        return ids


class Attachment(models.Model):
    """One file of one message."""

    class State(models.TextChoices):
        PENDING = "pending", "To be fetched"
        READING = "reading", "To be read"
        READY = "ready", "Ready"
        FAILED = "failed", "Not available"

    message = models.ForeignKey(
        "conversations.ConversationMessage", on_delete=models.CASCADE, related_name="attachments"
    )
    kind = models.CharField(max_length=16, help_text="image, audio, video, document or sticker")
    media_id = models.CharField(
        max_length=255, blank=True, default="", help_text="The channel's id; of ours: once it is uploaded."
    )
    media_id_until = models.DateTimeField(null=True, blank=True, help_text="Of ours: when the channel forgets it.")
    mime_type = models.CharField(max_length=100, blank=True, default="", help_text="Claimed; once stored: the real.")
    sha256 = models.CharField(max_length=64, blank=True, default="", help_text="Hexadecimal.")
    size = models.PositiveBigIntegerField(null=True, blank=True)
    filename = models.CharField(max_length=255, blank=True, default="", help_text="As its sender calls it.")
    file = models.FileField(max_length=255, blank=True, default="")
    preview = models.FileField(max_length=255, blank=True, default="", help_text="An image made small, for the model.")
    transcript = models.TextField(blank=True, default="", help_text="What it says, in words: of audio and documents.")

    state = models.CharField(max_length=16, choices=State.choices, default=State.PENDING)
    error = models.TextField(blank=True, default="", help_text="Why it is not available, or could not be read.")
    attempts = models.PositiveSmallIntegerField(default=0, help_text="In this state; also the fence.")
    next_attempt_at = models.DateTimeField(null=True, blank=True)
    woken_at = models.DateTimeField(null=True, blank=True, help_text="When the sweep last deferred a job for it.")
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    objects = AttachmentQuerySet.as_manager()

    class Meta:
        db_table = "attachments"
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=["pending", "reading", "ready", "failed"]), name="attachment_state_known"
            ),
        ]
        indexes = [
            # The sweep: what is due.
            models.Index(fields=["next_attempt_at"], name="attachment_due", condition=Q(state__in=OPEN)),
            # A turn that is about to be answered: is a file of its messages still on its way?
            models.Index(fields=["message"], name="attachment_open", condition=Q(state__in=OPEN)),
        ]

    def __str__(self) -> str:
        return self.filename or f"{self.kind} {self.pk}"

    @property
    def is_stored(self) -> bool:
        """Whether it is whole and was looked at; `file` alone is a name, and may come before."""
        return self.state in (self.State.READING, self.State.READY) and bool(self.file)


def of(messages: "Iterable[ConversationMessage]") -> dict[int, list[Attachment]]:
    """The files of these messages by message id: no query where none can have one."""
    ids = [message.pk for message in messages if message.kind in KINDS_WITH_ONE]
    found: defaultdict[int, list[Attachment]] = defaultdict(list)
    for attachment in Attachment.objects.filter(message__in=ids).order_by("id") if ids else ():
        found[attachment.message_id].append(attachment)
    return found


def attach(message_id: int, upload: FileUpload) -> Attachment:
    """The row of a file of ours."""
    return Attachment.objects.create(
        message_id=message_id,
        kind=upload.kind,
        mime_type=upload.mime_type,
        size=upload.size,
        sha256=upload.sha256,
        filename=upload.filename,
        file=upload.storage_name,
        state=Attachment.State.READY,
    )


def ours(message_ids: Sequence[int]) -> list[Attachment]:
    """The files of messages of ours, without the channel's id where the channel has forgotten it."""
    found = list(Attachment.objects.filter(message__in=message_ids))
    for attachment in found:
        if attachment.media_id_until is None or attachment.media_id_until < timezone.now():
            attachment.media_id = ""
    return found


def uploaded(attachment_id: int, media_id: str, seconds: float) -> None:
    """The channel has this file now, for so many seconds."""
    Attachment.objects.filter(pk=attachment_id).update(media_id=media_id, media_id_until=from_now(seconds))


@receiver(post_delete, sender=Attachment)
def remove_files(instance: Attachment, **kwargs: Any) -> None:
    """What is deleted with its conversation is deleted whole, once that is committed."""
    names = {instance.file.name, instance.preview.name}
    if instance.kind == "image" and instance.file.name:
        names.add(preview_name(instance.file.name))
    for name in filter(None, names):
        transaction.on_commit(functools.partial(default_storage.delete, name), robust=True)
