"""The cache that all processes share: the limits on attempts to sign in, and the codes that were used."""

import datetime as dt

from django.core.cache.backends.db import DatabaseCache
from django.db import connections
from django.db.backends.utils import CursorWrapper


class SharedCache(DatabaseCache):
    """Django's database cache, but only expired entries are removed to make room.

    Django's would remove others too when many are stored. That would reset someone's limit.
    """

    def _cull(self, db: str, cursor: CursorWrapper, now: dt.datetime, num: int) -> None:
        table = connections[db].ops.quote_name(self._table)  # type: ignore[attr-defined]
        expired = connections[db].ops.adapt_datetimefield_value(now)
        cursor.execute(f"DELETE FROM {table} WHERE expires < %s", [expired])  # noqa: S608
