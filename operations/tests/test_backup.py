"""`manage.py backup`, and `manage.py restore` up to the point where it changes something."""

import io
import json
import os
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.management import CommandError, call_command
from django.db import connection

from conversations.files import attachments
from conversations.files.uploads import keep
from conversations.models import Conversation, ConversationMessage
from conversations.outbox.queue import send, send_message
from operations.backup import restoring
from tenants.models import Tenant
from tests.media_at_meta import PDF

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def folder(tmp_path: Path, settings: Any) -> Path:
    """Where backups go. There are a conversation, a file, and a message that waits to be sent."""
    settings.MEDIA_ROOT = str(tmp_path / "media")
    talk = Conversation.objects.create(tenant=Tenant.objects.single(), phone_number_id="1", external_id="4915112345")
    ConversationMessage.objects.create(conversation=talk, role="user", text="What's in the cake?")
    send_message(talk, keep(ContentFile(PDF, "bill.pdf")))
    send(talk, "Almonds.")
    return tmp_path / "backups"


def run(*arguments: object) -> str:
    said = io.StringIO()
    call_command(*map(str, arguments), stdout=said, no_color=True)
    return said.getvalue()


def backup(folder: Path, *arguments: str) -> Path:
    return Path(run("backup", folder, *arguments).splitlines()[0].rpartition(": ")[2])


def databases() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT datname FROM pg_database WHERE starts_with(datname, %s)", [restoring.SCRATCH])
        return [name for (name,) in cursor.fetchall()]


@pytest.fixture(autouse=True)
def no_scratch_database_is_left(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(restoring, "SCRATCH", f"parley_drill_{os.getpid()}_")  # other processes have drills, too
    yield
    assert databases() == []


def test_a_backup_has_the_rows_and_the_files_and_a_drill_finds_them(folder: Path) -> None:
    made = backup(folder)
    manifest = json.loads((made / "manifest.json").read_text())
    assert manifest["tables"]["conversation_messages"] == 3
    with tarfile.open(made / "files.tar") as archive:
        (name,) = archive.getnames()
        assert archive.extractfile(name).read() == PDF  # type: ignore[union-attr]
    assert {part.stat().st_mode & 0o077 for part in made.iterdir() if part.name != "manifest.json"} == {0}
    assert "every promise holds" in run("restore", folder, "--drill")
    assert ConversationMessage.objects.filter(status="queued").count() == 2, "the drill changed the real database"


def test_a_drill_says_which_file_is_missing(folder: Path) -> None:
    (attachment,) = attachments.Attachment.objects.all()
    Path(attachment.file.path).unlink()
    backup(folder)
    with pytest.raises(CommandError, match=r"1 files of attachments\.file are missing"):
        run("restore", folder, "--drill")


@pytest.mark.parametrize("name", ["database.dump", "files.tar"])
def test_a_damaged_backup_is_refused(folder: Path, name: str) -> None:
    part = backup(folder) / name
    content = bytearray(part.read_bytes())
    content[len(content) // 2] ^= 1
    part.write_bytes(content)
    for arguments in (["--drill"], ["--overwrite", "--yes"]):
        with pytest.raises(CommandError, match="damaged"):
            run("restore", folder, *arguments)
    part.unlink()
    with pytest.raises(CommandError, match="is missing"):
        run("restore", folder, "--drill")


def test_a_backup_from_a_newer_version_is_refused(folder: Path) -> None:
    made = backup(folder)
    manifest = json.loads((made / "manifest.json").read_text())
    manifest["migrations"].append("conversations.9999_from_the_future")
    (made / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(CommandError, match="9999_from_the_future"):
        run("restore", folder, "--drill")


def test_a_full_database_is_only_overwritten_if_you_say_so(folder: Path) -> None:
    backup(folder)
    with pytest.raises(CommandError, match=r"isn't empty: .*1 rows in conversations"):
        run("restore", folder, "--yes")
    with pytest.raises(CommandError, match="use --yes"):
        run("restore", folder, "--overwrite")


def test_a_database_in_use_is_not_overwritten(folder: Path) -> None:
    backup(folder)
    other = connection.copy()
    try:
        other.ensure_connection()
        with pytest.raises(CommandError, match="Stop the web processes and the workers"):
            run("restore", folder, "--overwrite", "--yes")
        with pytest.raises(CommandError, match="Stop the web processes and the workers"):
            run("settle_restore", "2026-11-27T10:00:00Z")
    finally:
        other.close()


@pytest.fixture
def sequences(folder: Path) -> Iterator[None]:
    """The other tests go on with small IDs."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT sequencename, last_value FROM pg_sequences WHERE last_value IS NOT NULL")
        before = cursor.fetchall()
    yield
    with connection.cursor() as cursor:
        cursor.executemany("SELECT setval(%s, %s)", before)


@pytest.mark.usefixtures("sequences")
def test_after_another_kind_of_restore_what_was_open_is_settled(folder: Path) -> None:
    said = run("settle_restore", "2026-11-27T10:00:00Z")
    assert "1 conversations need a person" in said
    assert set(ConversationMessage.objects.exclude(status="").values_list("status", flat=True)) == {"uncertain"}


def test_only_the_newest_are_kept(folder: Path) -> None:
    for name in ("2026-01-01T000000Z", "2026-01-02T000000Z"):
        (folder / name).mkdir(parents=True)
        (folder / name / "manifest.json").write_text("{}")
    made = backup(folder, "--keep", "2", "--without-files")
    assert sorted(folder.iterdir()) == [folder / "2026-01-02T000000Z", made]


def test_nothing_is_left_of_a_backup_that_fails(folder: Path, settings: Any, tmp_path: Path) -> None:
    settings.POSTGRES_FOLDERS = [str(tmp_path)]
    with pytest.raises(CommandError, match="apt install postgresql-client"):
        backup(folder)
    assert list(folder.iterdir()) == []


@pytest.mark.skipif(not shutil.which("age"), reason="age isn't installed")
def test_a_backup_encrypted_with_age_needs_its_key(folder: Path, tmp_path: Path, settings: Any) -> None:
    key = tmp_path / "key.txt"
    made = subprocess.run(["age-keygen", "--output", key], capture_output=True, text=True, check=True)
    settings.BACKUP_ENCRYPT_TO = [made.stderr.split()[-1]]
    names = sorted(part.name for part in backup(folder).iterdir())
    assert names == ["database.dump.age", "files.tar.age", "manifest.json"]
    with pytest.raises(CommandError, match="--identity"):
        run("restore", folder, "--drill")
    assert "every promise holds" in run("restore", folder, "--drill", "--identity", key)
    other = tmp_path / "other.txt"
    subprocess.run(["age-keygen", "--output", other], capture_output=True, check=True)
    with pytest.raises(CommandError, match="couldn't be"):
        run("restore", folder, "--drill", "--identity", other)


@pytest.mark.skipif(not shutil.which("gpg"), reason="gpg isn't installed")
def test_a_backup_can_be_encrypted_with_gpg(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "gpg"
    home.mkdir(mode=0o700)
    monkeypatch.setenv("GNUPGHOME", str(home))
    make = ["gpg", "--batch", "--quiet", "--passphrase", "", "--quick-generate-key", "backup@example.com", "default"]
    subprocess.run([*make, "default", "never"], check=True, capture_output=True)
    try:
        assert (backup(folder, "--encrypt-to", "backup@example.com") / "database.dump.gpg").exists()
        assert "every promise holds" in run("restore", folder, "--drill")
    finally:
        subprocess.run(["gpgconf", "--kill", "all"], check=False)
