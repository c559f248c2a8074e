"""Deleting entries that are older than the installation keeps them."""

from django.conf import settings
from django.db import connection

from runtime.jobs import BATCH, every


@every(600)
def delete_old_entries() -> int:
    """Through the database's own function, the only way that it allows. Returns how many it deleted."""
    if not settings.AUDIT_RETENTION_DAYS:
        return 0
    with connection.cursor() as cursor:
        cursor.execute("SELECT audit_delete_old(%s, %s)", [settings.AUDIT_RETENTION_DAYS, BATCH])
        (deleted,) = cursor.fetchone()
    return int(deleted)
