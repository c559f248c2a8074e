"""The policies of row-level security: which rows of a table belong to the businesses of a statement's scope.

They follow from the models. A row belongs to the business of its `tenant`, or to that of a row it refers to. It can
only be written if all rows it refers to are visible.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.apps import apps as current_apps
from django.apps.registry import Apps
from django.db import connection
from django.db.models import ForeignKey, Model

from .scope import ROLE, SETTING

OPEN = "parley_everyone"  # the policy for other roles than ours; those see all rows, as without row-level security
SCOPED = "parley_scope"
# Read once per statement, not per row.
_TENANTS = f"(SELECT NULLIF(current_setting('{SETTING}', true), '')::bigint[])::bigint[]"


@dataclass(frozen=True, slots=True)
class Policy:
    """In SQL. using: which rows are visible. check: which can be written."""

    using: str
    check: str

    def statements(self, table: str) -> Iterator[str]:
        yield f'ALTER TABLE "{table}" ENABLE ROW LEVEL SECURITY'
        yield f'DROP POLICY IF EXISTS {OPEN} ON "{table}"'
        yield f'DROP POLICY IF EXISTS {SCOPED} ON "{table}"'
        yield f'CREATE POLICY {OPEN} ON "{table}" USING (true)'
        yield (
            f'CREATE POLICY {SCOPED} ON "{table}" AS RESTRICTIVE TO {ROLE} '
            f"USING ({self.using}) WITH CHECK ({self.check})"
        )
        yield f'COMMENT ON POLICY {SCOPED} ON "{table}" IS {_quoted(self.definition)}'

    @property
    def definition(self) -> str:
        """What is compared to see whether the table's policy is this one."""
        return f"{self.using} / {self.check}"


def policies(apps: Apps = current_apps) -> dict[str, Policy]:
    """By table: those of all models that lead to a business. apps: as a migration leaves them."""
    return {
        model._meta.db_table: _policy(model)
        for model in apps.get_models(include_auto_created=True)
        if model._meta.managed and not model._meta.proxy and belongs(model)
    }


def belongs(model: type[Model]) -> bool:
    """Whether the model's rows belong to a business."""
    return _is_business(model) or any(_references(model))


def apply(apps: Apps = current_apps) -> None:
    """Give each table its policy, as the owner of the tables. Tables that have it aren't locked."""
    with connection.cursor() as cursor:
        for table in missing(apps):
            cursor.execute("; ".join(policies(apps)[table].statements(table)))


def missing(apps: Apps = current_apps) -> list[str]:
    """The tables that exist, but don't have the policy that they should."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.relname, CASE WHEN c.relrowsecurity THEN obj_description(p.oid, 'pg_policy') END FROM pg_class c"
            " LEFT JOIN pg_policy p ON p.polrelid = c.oid AND p.polname = %s"
            " WHERE c.relkind = 'r' AND pg_table_is_visible(c.oid)",
            [SCOPED],
        )
        found = dict(cursor.fetchall())
    wanted = policies(apps)
    return [table for table in wanted if table in found and found[table] != wanted[table].definition]


def _policy(model: type[Model]) -> Policy:
    if _is_business(model):
        return Policy(f"id = ANY ({_TENANTS})", f"id = ANY ({_TENANTS})")
    references = sorted(_references(model), key=lambda each: each.column)
    # A column that may be empty says less than one that may not.
    best = min(references, key=lambda each: (each.null, not _is_business(each.related_model)))
    checks = [f"({each.column} IS NULL OR {_visible(model, each)})" for each in references]
    return Policy(_visible(model, best), " AND ".join(checks))


def _visible(model: type[Model], reference: "ForeignKey[Any]") -> str:
    """Whether the row that this column refers to is visible."""
    if _is_business(reference.related_model):
        return f"{reference.column} = ANY ({_TENANTS})"
    parent = reference.related_model._meta.db_table
    key = reference.target_field.column
    return f"EXISTS (SELECT FROM {parent} parent WHERE parent.{key} = {model._meta.db_table}.{reference.column})"


def _references(model: type[Model]) -> "Iterator[ForeignKey[Any]]":
    """The columns that refer to a business, or to rows that belong to one."""
    for field in model._meta.local_fields:
        target = field.related_model
        if isinstance(field, ForeignKey) and isinstance(target, type) and target is not model and belongs(target):
            yield field


def _is_business(model: object) -> bool:
    return isinstance(model, type) and issubclass(model, Model) and model._meta.label == "tenants.Tenant"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
