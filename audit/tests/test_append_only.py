"""The database refuses to change the audit log, and deletes only what is old."""

from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from audit.acting import Actor
from audit.choices import Action, ActorKind
from audit.models import AuditEntry
from audit.recording import record
from audit.tasks import delete_old_entries
from runtime.row_security.scope import ROLE, SETTING

pytestmark = pytest.mark.django_db
CHANGES = [
    "UPDATE audit_entries SET actor = 'someone else'",
    "DELETE FROM audit_entries",
    "TRUNCATE audit_entries",
]


def entry() -> AuditEntry:
    record(Action.SIGNED_IN, [None], actor=Actor(ActorKind.PERSON, "Ana"))
    return AuditEntry.objects.latest("pk")


def assert_refused(*statements: str) -> None:
    refused = pytest.raises(DatabaseError, match=r"append-only|permission denied|must be owner|30 days")
    with refused, transaction.atomic(), connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def aged(days: int) -> None:
    """One entry that is this old, and none else: entries are added with the time of the database."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO audit_entries (at, actor_kind, actor, action) VALUES (now() - %s * interval '1 day', "
            "'person', 'Ana', 'signed_in')",
            [days],
        )


# With the rights that migrating gives it, and without owning the table.
AS_THE_APPLICATION = f"SET LOCAL ROLE {ROLE}; SET LOCAL {SETTING} = '{{}}'"


@pytest.mark.parametrize("statement", CHANGES)
def test_even_the_owner_of_the_tables_changes_nothing(statement: str) -> None:
    entry()
    with connection.cursor() as cursor:  # switched off for tests: see conftest.py
        cursor.execute("ALTER TABLE audit_entries ENABLE TRIGGER audit_no_truncate")
    assert_refused(statement)


def test_the_applications_role_only_adds_and_reads() -> None:
    entry()
    with connection.cursor() as cursor:
        cursor.execute(AS_THE_APPLICATION)
        cursor.execute("INSERT INTO audit_entries (actor_kind, actor, action) VALUES ('person', 'Ana', 'read')")
        cursor.execute("SELECT FROM audit_entries")
    for statement in [*CHANGES, "ALTER TABLE audit_entries DISABLE TRIGGER ALL"]:
        assert_refused(AS_THE_APPLICATION, "SELECT set_config('audit.retention', 'on', true)", statement)


def test_old_entries_are_deleted_by_a_role_that_can_delete_none(settings: Any) -> None:
    settings.AUDIT_RETENTION_DAYS = 100
    for days in (1, 99, 101, 500):
        aged(days)
    before = AuditEntry.objects.count()
    connection.cursor().execute(AS_THE_APPLICATION)
    assert delete_old_entries() == 2
    assert_refused("DELETE FROM audit_entries")
    connection.cursor().execute("RESET ROLE")
    assert before - AuditEntry.objects.count() == 2


def test_the_last_30_days_stay_whatever_is_tried() -> None:
    aged(29)
    assert_refused("SELECT audit_delete_old(1, 10)")
    assert_refused("SELECT set_config('audit.retention', 'on', true)", "DELETE FROM audit_entries")
    assert AuditEntry.objects.exists()


def test_everything_is_kept_without_a_limit(settings: Any) -> None:
    settings.AUDIT_RETENTION_DAYS = 0
    aged(5000)
    assert delete_old_entries() == 0
