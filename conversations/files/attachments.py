"""The files of messages: one row per file, from the moment a message names it.

The life of a file (`Attachment.state`)::

    pending --fetched--> reading --read, or given up: `error` says why--> ready
       |                    \\--- nothing in it to read -----------------^
       \\--given up: `error` says why--> failed

A file sent by the business is *ready* from the beginning. *pending* and *reading* rows form two backlogs:
a claim leases a row by moving `next_attempt_at` past the time the work may take, and raises its fence, which guards
everything that is written afterwards.
"""

import uuid
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from django.core.files.base import File
from django.core.files.storage import default_storage
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Coalesce, Now
from django.db.models.signals import post_delete
from django.dispatch import receiver
from django.utils import timezone

from conversations.outbox.contents import FileUpload
from runtime.backlog import Backlog, unlocked
from runtime.clock import from_now
from runtime.untrusted_json import one_line
from tenants.models import Tenant

from . import removal
from .file_types import extension

if TYPE_CHECKING:
    from conversations.models import ConversationMessage

OPEN = ["pending", "reading"]
KINDS = ("image", "audio", "video", "document", "sticker")
KINDS_WITH_ONE = (*KINDS, "template")  # a template may have one in its header


def stored_name(mime_type: str) -> str:
    """A new name, which contains nothing that the sender chose."""
    return f"attachments/{uuid.uuid4().hex}.{extension(mime_type)}"


def preview_name(name: str) -> str:
    """The name of the preview of the image stored under `name`. Always the same, so that none is left behind."""
    return f"{name.rpartition('.')[0]}-small.jpg"


def opened(name: str) -> "File[bytes]":
    """A stored file, complete. From a bucket it's downloaded, so call this in a thread."""
    file = default_storage.open(name)
    _ = file.file  # downloads it
    return file


class AttachmentQuerySet(models.QuerySet["Attachment"]):
    def claimed(self, attachment_id: int, state: str) -> "Attachment | None":
        """A row that was just claimed, with what the work on it needs. None if it was deleted meanwhile."""
        rows = self.filter(pk=attachment_id, state=state).select_related("message__conversation__tenant")
        return rows.defer("message__raw_json").first()

    def held(self, attachment: "Attachment") -> "models.QuerySet[Attachment]":
        """This row, unless it was claimed again or is locked. For updates, in a transaction."""
        return unlocked(self.filter(pk=attachment.pk, state=attachment.state, fence=attachment.fence))


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
    tenant = models.ForeignKey(
        Tenant,
        null=True,
        on_delete=models.CASCADE,
        related_name="+",
        db_index=False,
        verbose_name="business",
        help_text="For a customer's file: businesses take turns while files are fetched and read.",
    )
    kind = models.CharField(max_length=16, help_text="image, audio, video, document or sticker")
    media_id = models.CharField(
        max_length=255, blank=True, default="", help_text="The channel's ID. For our own files: once uploaded."
    )
    media_id_until = models.DateTimeField(
        null=True, blank=True, help_text="For our own files: when the channel deletes it."
    )
    mime_type = models.CharField(max_length=100, blank=True, default="", help_text="As claimed; once stored, as found.")
    sha256 = models.CharField(max_length=64, blank=True, default="", help_text="Hexadecimal.")
    size = models.PositiveBigIntegerField(null=True, blank=True)
    filename = models.CharField(max_length=255, blank=True, default="", help_text="The sender's name for it.")
    file = models.FileField(max_length=255, blank=True, default="")
    preview = models.FileField(
        max_length=255, blank=True, default="", help_text="A smaller version of an image, for the model."
    )
    transcript = models.TextField(blank=True, default="", help_text="The text of an audio file or a document.")
    refused = models.TextField(
        blank=True, default="", db_default="", help_text="Why the model's service refuses it. The model isn't shown it."
    )

    state = models.CharField(max_length=16, choices=State.choices, default=State.PENDING)
    error = models.TextField(blank=True, default="", help_text="Why it's not available or couldn't be read.")
    fence = models.PositiveSmallIntegerField(default=0, help_text="How often it has been claimed in this state.")
    next_attempt_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    objects = AttachmentQuerySet.as_manager()

    class Meta:
        db_table = "attachments"
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=["pending", "reading", "ready", "failed"]), name="attachment_state_known"
            )
        ]
        indexes = [
            # The claim: what is due for each business.
            models.Index(
                F("state"),
                Coalesce("tenant", 0),
                F("next_attempt_at"),
                name="attachment_due",
                condition=Q(state__in=OPEN),
            ),
            # A turn that is about to be answered: is a file of its messages still being fetched or read?
            models.Index(fields=["message"], name="attachment_open", condition=Q(state__in=OPEN)),
        ]

    def __str__(self) -> str:
        return one_line(self.filename, 255) or f"{self.kind} {self.pk}"

    @property
    def is_stored(self) -> bool:
        """Whether it's complete and checked. `file` alone is a name, and may be set before."""
        return self.state in (self.State.READING, self.State.READY) and bool(self.file)


def backlog(task: str, state: str, lease: Callable[[], float]) -> Backlog:
    """The files in this state, worked on by the jobs of `task`. Businesses take turns."""
    return Backlog(
        task=task,
        table="attachments",
        waiting=f"state = '{state}'",
        group="COALESCE(tenant_id, 0)",
        fence="fence",
        lease=lease,
        at_once=8,
    )


def of(messages: "Iterable[ConversationMessage]") -> dict[int, list[Attachment]]:
    """The files of these messages, by message ID. No query if none can have one."""
    ids = [message.pk for message in messages if message.kind in KINDS_WITH_ONE]
    found: defaultdict[int, list[Attachment]] = defaultdict(list)
    for attachment in Attachment.objects.filter(message__in=ids).order_by("id") if ids else ():
        found[attachment.message_id].append(attachment)
    return found


def attach(message_id: int, upload: FileUpload) -> Attachment:
    """Give a message a file that was uploaded for it."""
    removal.keep(upload.storage_name)
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
    """The files of outgoing messages, without the channel's ID if the channel has deleted it."""
    found = list(Attachment.objects.filter(message__in=message_ids))
    for attachment in found:
        if attachment.media_id_until is None or attachment.media_id_until < timezone.now():
            attachment.media_id = ""
    return found


def uploaded(attachment_id: int, media_id: str, seconds: float) -> None:
    """Record that the channel now has this file and keeps it for `seconds`."""
    Attachment.objects.filter(pk=attachment_id).update(media_id=media_id, media_id_until=from_now(seconds))


@receiver(post_delete, sender=Attachment)
def remove_files(instance: Attachment, **kwargs: Any) -> None:
    """Files leave the storage with their rows."""
    names = {instance.file.name, instance.preview.name}
    if instance.kind == "image" and instance.file.name:
        names.add(preview_name(instance.file.name))
    removal.remove_on_commit(filter(None, names))
