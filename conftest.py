"""Setup for all tests. Without Chromium, tests marked `browser` are skipped, and the summary says so."""

import shutil

import pytest
from django.db import connection
from playwright.sync_api import expect
from pytest_django import DjangoDbBlocker

from runtime.row_security import scope

pytest_plugins = [
    "tests.fake_network",
    "tests.stage",
    "tests.isolation_report",
    "tests.emptying",
    "tests.template_database",
    "tenants.tests.people",
]

scope.open_process()  # tests see all rows; requests see those of their user

_CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome")
_LEFT_OUT = "needs Chromium"


def chromium_path() -> str | None:
    return next(filter(None, map(shutil.which, _CHROMIUM_NAMES)), None)


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of the browser's executable. Allow for slow pages on busy machines."""
    expect.set_options(timeout=30_000)
    return chromium_path() or pytest.fail("A test that needs the browser must be marked `browser`.")


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> None:
    """Transactional tests empty all tables, which the audit log refuses."""
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        cursor.execute("ALTER TABLE audit_entries DISABLE TRIGGER audit_no_truncate")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if chromium_path() is None:
        for item in items:
            if item.get_closest_marker("browser"):
                item.add_marker(pytest.mark.skip(reason=_LEFT_OUT))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    left_out = [report for report in terminalreporter.stats.get("skipped", []) if _LEFT_OUT in str(report.longrepr)]
    if left_out:
        terminalreporter.section("Chromium is missing", yellow=True)
        terminalreporter.line(
            f"{len(left_out)} browser tests were skipped: none of {', '.join(_CHROMIUM_NAMES)} is "
            "installed. On Debian: apt install chromium."
        )
