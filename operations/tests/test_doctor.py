"""`manage.py doctor`: no false alarm on a healthy installation, and planted mistakes are found with what to do."""

import datetime as dt
import json
import shutil
import threading
from collections.abc import Iterable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection

from notifications.tests.outside import mail_server
from operations.doctor import installation, services
from operations.doctor.findings import Check, Finding, Level, ok, run
from operations.tests.doctoring import SECRET, SETTINGS, TOKEN, Outside, account, bad, one
from operations.tests.test_health import heartbeat
from tests.faults.processes import free_port


def doctor() -> tuple[int, dict[str, Any], str]:
    """Exit code, the JSON, and the whole output."""
    out = StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("doctor", "--json", stdout=out)
    return int(str(ended.value.code)), json.loads(out.getvalue()), out.getvalue()


@pytest.mark.usefixtures("no_workers")
def test_there_is_no_false_alarm_on_a_healthy_installation(outside: Outside) -> None:
    account()
    heartbeat(1)
    code, found, text = doctor()
    assert [each for each in found["findings"] if each["level"] != "ok"] == []
    assert (code, found["level"], found["left_out"]) == (0, "ok", [])
    checks = {each["check"] for each in found["findings"]}
    assert {"database", "workers", "numbers", "models", "webhook", "Meta", "storage"} <= checks
    secrets = (TOKEN, SECRET, *(SETTINGS[name] for name in ("SECRET_KEY", "WHATSAPP_VERIFY_TOKEN", "OPENAI_API_KEY")))
    assert not any(secret in text for secret in secrets)


@pytest.mark.usefixtures("no_workers")
def test_errors_are_in_the_text_and_the_exit_code(outside: Outside, settings: Any) -> None:
    account()
    settings.SECRET_KEY = "short"
    out = StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("doctor", stdout=out)
    assert ended.value.code == Level.ERROR
    assert "SECRET_KEY is too short" in out.getvalue()
    assert "Start one: python manage.py worker" in out.getvalue()


def test_a_check_that_fails_or_hangs_stops_no_other_and_shows_no_secret(settings: Any) -> None:
    settings.OPENAI_API_KEY = "sk-secret-of-ours"
    release = threading.Event()

    def failing() -> Iterable[Finding]:
        raise ValueError("no such key: sk-secret-of-ours")

    def hanging() -> Iterable[Finding]:
        release.wait(60)
        return []

    fine: Check = lambda: [ok("Fine.")]  # noqa: E731
    results = run({"failing": failing, "hanging": hanging, "fine": fine}, 0.5)
    release.set()
    assert [(each.check, each.level) for each in results] == [("failing", 2), ("hanging", 2), ("fine", 0)]
    assert "no such key: [secret]" in results[0].text
    assert "didn't finish" in results[1].text


# --- This machine --------------------------------------------------------------------------------------------------


def test_finds_a_weak_key_and_a_public_url_without_tls(outside: Outside, settings: Any) -> None:
    assert bad(installation.system_checks) == []
    settings.PUBLIC_URL = "http://parley.example"
    assert "PUBLIC_URL" in one(installation.system_checks)


@pytest.mark.parametrize(
    ("version", "level", "words"),
    [
        ("v20.0", Level.ERROR, "Meta ended the Graph API v20.0"),
        ("v99.0", Level.WARNING, "isn't known"),
    ],
)
def test_finds_a_graph_version_that_has_ended(settings: Any, version: str, level: Level, words: str) -> None:
    settings.WHATSAPP_GRAPH_VERSION = version
    assert words in one(installation.graph_version, level)


def test_warns_before_a_graph_version_ends(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    today = dt.datetime.now(dt.UTC).date()
    settings.WHATSAPP_GRAPH_VERSION = "v24.0"
    monkeypatch.setitem(installation.GRAPH_ENDS, "v24.0", today + dt.timedelta(days=30))
    assert "WHATSAPP_GRAPH_VERSION=v26.0" in one(installation.graph_version, Level.WARNING)


@pytest.mark.django_db
def test_finds_secrets_that_no_key_decrypts(outside: Outside) -> None:
    account()
    assert bad(installation.stored_secrets) == []
    with connection.cursor() as cursor:
        cursor.execute("UPDATE whatsapp_accounts SET access_token = 'gAAAAA-of-another-key'")
    assert "1 of 1 values in whatsapp_accounts.access_token" in one(installation.stored_secrets)
    assert bad(services.numbers)  # it doesn't fail on it


def test_finds_a_disk_that_is_nearly_full(settings: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = str(tmp_path / "not yet" / "there")
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=5 * 1024 * 1024))
    assert {each.level for each in bad(installation.disk)} == {Level.ERROR}
    assert "has only 5 MB left" in bad(installation.disk)[0].text


def test_finds_a_storage_that_cannot_be_written(outside: Outside, settings: Any, tmp_path: Path) -> None:
    assert bad(installation.storage) == []
    file = tmp_path / "a file"
    file.touch()
    settings.MEDIA_ROOT = str(file)
    assert "MEDIA_FOLDER" in one(installation.storage)


def test_finds_a_mail_server_that_does_not_answer(settings: Any) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST = "127.0.0.1"
    settings.EMAIL_HOST_USER = settings.EMAIL_HOST_PASSWORD = ""
    with mail_server() as server:
        settings.EMAIL_URL, settings.EMAIL_PORT = server.url, server.port
        assert bad(installation.email) == []
        assert not server.emails
    settings.EMAIL_PORT = free_port()
    assert "Check EMAIL_URL" in one(installation.email)
