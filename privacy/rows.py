"""Deleting rows with everything that depends on them, a bounded number at a time."""

from collections import Counter
from typing import Any

from django.db.models import CASCADE, ForeignObjectRel, QuerySet

Deleted = Counter[str]  # rows by the name of their model


def delete_some(rows: "QuerySet[Any]", limit: int) -> Deleted:
    """Delete at most `limit` rows: first what depends on these, then themselves. If fewer are deleted, none is left."""
    deleted: Deleted = Counter()
    ids = list(rows.order_by("pk").values_list("pk", flat=True)[:limit])
    for relation in rows.model._meta.get_fields(include_hidden=True):
        cascades = isinstance(relation, ForeignObjectRel) and relation.on_delete is CASCADE
        if ids and cascades and deleted.total() < limit:
            dependent = relation.related_model._base_manager.filter(**{f"{relation.field.name}__in": ids})
            deleted += delete_some(dependent, limit - deleted.total())
    if ids and deleted.total() < limit:
        found = rows.model._base_manager.filter(pk__in=ids[: limit - deleted.total()])
        number, _ = found.delete()
        deleted[str(rows.model._meta.verbose_name_plural)] += number
    return deleted
