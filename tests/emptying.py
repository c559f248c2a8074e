"""Empties the database after a transactional test, in a fraction of the time that Django's `flush` takes.

`flush` truncates all tables, with or without rows, and creates the content types and permissions again. Most tests
leave a few rows in a few tables, and don't change these two. Jobs are removed, too: `flush` leaves them to later tests.
"""

from collections.abc import Iterator

import pytest
from django.apps import apps
from django.db import connection, transaction
from django.test import TransactionTestCase

from tenants.models import create_single_tenant

KEPT = {"django_content_type", "auth_permission"}
OF_JOBS = {"procrastinate_jobs", "procrastinate_events", "procrastinate_periodic_defers", "procrastinate_workers"}
MANY = 5_000  # rows; deleting more would leave tables that are slow to read


@pytest.fixture(scope="session", autouse=True)
def _empty_quickly() -> Iterator[None]:
    flush = TransactionTestCase._fixture_teardown  # type: ignore[attr-defined]

    def teardown(case: TransactionTestCase) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT current_setting('is_superuser')::bool")
            (is_superuser,) = cursor.fetchone()
        if not is_superuser or delete_rows() > MANY:
            flush(case)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", teardown)
        yield


def delete_rows() -> int:
    """Returns how many there were."""
    managed = connection.introspection.django_table_names(only_existing=True, include_views=False)
    tables = sorted({*managed, *OF_JOBS} - KEPT)
    deletions = ", ".join(f'd{number} AS (DELETE FROM "{name}" RETURNING 1)' for number, name in enumerate(tables))
    counts = " UNION ALL ".join(f"SELECT count(*) FROM d{number}" for number in range(len(tables)))
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")  # no triggers: each table is emptied anyway
        cursor.execute(f"WITH {deletions} SELECT sum(count) FROM ({counts}) AS deleted")
        (number,) = cursor.fetchone()
    create_single_tenant(sender=apps.get_app_config("tenants"))
    return int(number)
