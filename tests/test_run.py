"""`make run` recognises a database that it can't use."""

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder

from config.run import refuse_unknown_data

pytestmark = pytest.mark.django_db


def test_data_from_before_the_migrations_were_replaced_is_refused_with_the_remedy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    MigrationRecorder(connection).record_applied("conversations", "0002_of_another_version")
    with pytest.raises(ImproperlyConfigured, match=r"conversations\.0002_of_another_version.*make reset"):
        refuse_unknown_data()


def test_resetting_a_database_server_is_never_suggested(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgres://server/parley")
    MigrationRecorder(connection).record_applied("conversations", "0002_of_another_version")
    with pytest.raises(ImproperlyConfigured, match="Set DATABASE_URL to an empty database"):
        refuse_unknown_data()


def test_migrations_of_other_packages_are_their_own_business() -> None:
    MigrationRecorder(connection).record_applied("procrastinate", "0001_removed_by_an_upgrade")
    MigrationRecorder(connection).record_applied("import_export", "0001_no_longer_installed")
    refuse_unknown_data()
