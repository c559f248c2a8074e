"""Removes stored files that no message owns.

The row comes first: before an upload is stored, and in the transaction that deletes a file's message. Whatever happens
in between, the file is eventually removed.
"""

from collections.abc import Iterable

from django.core.files.storage import default_storage
from django.db import models, transaction
from django.db.models.functions import Now

from runtime.clock import from_now
from runtime.jobs import BATCH, every

UNUSED_SECONDS = 3600  # far longer than a request that sends an upload may take
RETRY_SECONDS = 600


class FileToRemove(models.Model):
    """A stored file that no message owns (yet)."""

    name = models.CharField(max_length=255)
    remove_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "files_to_remove"
        constraints = [models.UniqueConstraint(fields=["name"], name="file_to_remove_once")]
        indexes = [
            # The removal: what is due.
            models.Index(fields=["remove_at"], name="file_to_remove_due")
        ]

    def __str__(self) -> str:
        return self.name


def announce(name: str) -> None:
    """A file of this name is about to be stored. If no message owns it within an hour, it's removed."""
    FileToRemove.objects.create(name=name, remove_at=from_now(UNUSED_SECONDS))


def keep(name: str) -> None:
    """A message owns this file now. Call it in the transaction that stores the message."""
    FileToRemove.objects.filter(name=name).delete()


def remove_if_unowned(name: str) -> None:
    """Remove an announced file, unless a message owns it."""
    if FileToRemove.objects.filter(name=name).exists():
        _remove([name])


def remove_on_commit(names: Iterable[str]) -> None:
    """Remove the files of a deleted message once the transaction is committed."""
    rows = [FileToRemove(name=name) for name in names]
    FileToRemove.objects.bulk_create(rows, ignore_conflicts=True)
    transaction.on_commit(lambda: _remove([row.name for row in rows]), robust=True)


@every(60)
def remove_unowned() -> int:
    """Remove files left behind by processes that died."""
    with transaction.atomic():
        due = FileToRemove.objects.filter(remove_at__lte=Now()).order_by("remove_at")
        names = list(due.select_for_update(skip_locked=True).values_list("name", flat=True)[:BATCH])
        FileToRemove.objects.filter(name__in=names).update(remove_at=from_now(RETRY_SECONDS))
    _remove(names)
    return len(names)


def _remove(names: list[str]) -> None:
    for name in names:
        default_storage.delete(name)
    FileToRemove.objects.filter(name__in=names).delete()
