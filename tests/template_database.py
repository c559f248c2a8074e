"""Runs the migrations once per test run, not once per process: each process gets a copy of a template database."""

import fcntl
import os
from collections.abc import Iterator

import pytest
from django.db import connection
from pytest_django import DjangoDbBlocker

TEMPLATE = "test_parley_template"


@pytest.fixture(scope="session")
def django_db_modify_db_settings(
    django_db_modify_db_settings_parallel_suffix: None,
    django_db_blocker: DjangoDbBlocker,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[None]:
    """pytest-django's hook before the database is created. With one process, there's nothing to share."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "")
    if not worker:
        yield
        return
    users = tmp_path_factory.getbasetemp().parent / "template-database"  # a file for each process that uses it
    users.mkdir(exist_ok=True)
    with (users.parent / "template-database.lock").open("w") as lock, django_db_blocker.unblock():
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not any(users.iterdir()):
            _create()
        (users / worker).touch()
    connection.settings_dict["TEST"]["TEMPLATE"] = TEMPLATE
    yield
    with (users.parent / "template-database.lock").open("w") as lock, django_db_blocker.unblock():
        fcntl.flock(lock, fcntl.LOCK_EX)
        (users / worker).unlink()
        if not any(users.iterdir()):
            with connection.creation._nodb_cursor() as cursor:  # type: ignore[attr-defined]
                cursor.execute(f"DROP DATABASE {TEMPLATE}")


def _create() -> None:
    """As Django creates a test database, without staying connected to it: PostgreSQL copies only an unused one."""
    names, tests = connection.settings_dict, connection.settings_dict["TEST"]
    name, test_name = names["NAME"], tests["NAME"]
    tests["NAME"] = TEMPLATE
    connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
    connection.close()
    names["NAME"], tests["NAME"] = name, test_name
