"""The table of the cache that all processes share."""

from django.db import models


class CacheEntry(models.Model):
    """A row of Django's database cache, with the columns that `createcachetable` creates. Only the cache uses it."""

    cache_key = models.CharField(max_length=255, primary_key=True)
    value = models.TextField()
    expires = models.DateTimeField(db_index=True)

    class Meta:
        db_table = "cache_entries"

    def __str__(self) -> str:
        return self.cache_key
