"""Everything the database knows about one business, as one value to compare."""

from typing import Any

from django.apps import apps
from django.db import connection
from django.db.models import ForeignKey, Model

from tenants.models import Tenant

OURS = {"tenants", "webhooks", "notifications", "conversations", "leads", "assistant", "whatsapp", "api"}


class Snapshot:
    """Reads all rows of a business, of every model that leads to it, in one statement."""

    def __init__(self, tenant: Tenant) -> None:
        self.parameters: list[Any] = []
        parts = []
        models = [model for model in apps.get_models() if model._meta.app_label in OURS]
        for model in models:
            for path in _paths(model):
                sql, parameters = model._default_manager.filter(**{path: tenant.pk}).order_by().query.sql_with_params()
                parts.append(
                    f"SELECT '{model._meta.label} by {path}', count(*), "
                    f"md5(string_agg(found::text, '|' ORDER BY found::text)) FROM ({sql}) AS found"
                )
                self.parameters += parameters
        self.sql = " UNION ALL ".join(parts)
        self.models = len(models)
        self.before = self.read()

    def read(self) -> dict[str, tuple[int, str]]:
        with connection.cursor() as cursor:
            cursor.execute(self.sql, self.parameters)
            return {name: (count, digest) for name, count, digest in cursor.fetchall()}

    def changed(self) -> list[str]:
        """What is different now."""
        now = self.read()
        return [
            f"{name}: {self.before[name][0]} rows, now {now[name][0]}" for name in now if now[name] != self.before[name]
        ]


def _paths(model: type[Model], seen: tuple[type[Model], ...] = ()) -> list[str]:
    """All ways from a row to its tenant, through foreign keys."""
    if model is Tenant:
        return ["pk"]
    found = []
    for field in model._meta.fields:
        target = field.related_model
        if not isinstance(field, ForeignKey) or not isinstance(target, type) or target in (*seen, model):
            continue
        if target._meta.app_label in OURS:
            ways = _paths(target, (*seen, model))
            found += [field.name if way == "pk" else f"{field.name}__{way}" for way in ways]
    return found
