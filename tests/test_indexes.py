"""No index is redundant, and every state column is checked by the database."""

import pytest
from django.apps import apps
from django.db import IntegrityError, connection, transaction
from django.db.models import CharField

OURS = {
    "audit",
    "tenants",
    "webhooks",
    "notifications",
    "conversations",
    "leads",
    "knowledge",
    "assistant",
    "whatsapp",
    "api",
}
# Choices that the database doesn't check: an unknown kind or event type harms nothing.
UNCHECKED = {"conversation_messages.kind", "webhook_events.type"}

_INDEXES = """
SELECT c.relname, i.indexrelid::regclass::text, pg_get_expr(i.indpred, i.indrelid), am.amname,
    ARRAY(SELECT pg_get_indexdef(i.indexrelid, n, true) FROM generate_series(1, i.indnkeyatts) n), i.indisunique
FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN pg_class x ON x.oid = i.indexrelid
JOIN pg_am am ON am.oid = x.relam WHERE c.relname = ANY (%s)
"""


@pytest.mark.django_db
def test_no_index_is_the_beginning_of_another() -> None:
    tables = [model._meta.db_table for model in apps.get_models() if model._meta.app_label in OURS]
    with connection.cursor() as cursor:
        cursor.execute(_INDEXES, [tables])
        found = cursor.fetchall()
    redundant = [
        f"{table}: {name} is the beginning of {other}"
        for table, name, condition, method, columns, is_unique in found
        for other_table, other, other_condition, other_method, other_columns, _ in found
        if name != other
        and not is_unique
        and (table, condition, method) == (other_table, other_condition, other_method)
        and columns == other_columns[: len(columns)]
    ]
    assert not redundant, "\n".join(redundant)


def _state_columns() -> list[tuple[str, str]]:
    fields = [field for app in OURS for model in apps.get_app_config(app).get_models() for field in model._meta.fields]
    states = [field for field in fields if isinstance(field, CharField) and field.choices]
    names = {(field.model._meta.db_table, str(field.column)) for field in states}
    return sorted(name for name in names if ".".join(name) not in UNCHECKED)


@pytest.mark.parametrize(("table", "column"), _state_columns())
@pytest.mark.django_db
def test_the_database_checks_every_state(table: str, column: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_constraint WHERE conrelid = %s::regclass AND contype = 'c'"
            " AND pg_get_constraintdef(oid) LIKE %s",
            [table, f"%({column})%"],
        )
        assert cursor.fetchone()[0] == 1


@pytest.mark.django_db
def test_an_unknown_state_is_rejected() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO conversations (phone_number_id, external_id) VALUES ('1001', '4915112345') RETURNING id"
        )
        (pk,) = cursor.fetchone()
        with pytest.raises(IntegrityError, match="conversation_handler_known"), transaction.atomic():
            cursor.execute("UPDATE conversations SET handled_by = 'nobody' WHERE id = %s", [pk])
