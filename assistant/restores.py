"""What must not be answered again after the database was restored from a backup."""

from django.db import models
from django.db.models.functions import Now

HELD = "It may have been answered before the database was restored from a backup."
FLAG = "The database was restored from a backup. Check whether this customer has been answered."


class Restore(models.Model):
    """One restore. The messages that customers sent until `answered_until` are left to the team: whatever was answered
    after the backup isn't known any more."""

    restored_at = models.DateTimeField(db_default=Now())
    backup_at = models.DateTimeField()
    answered_until = models.DateTimeField()

    class Meta:
        db_table = "restores"

    def __str__(self) -> str:
        return f"Backup of {self.backup_at}, restored at {self.restored_at}"
