"""Exporting a business or a person: complete, nobody else's, without secrets, in bounded memory, after any crash."""

import io
import json
import re
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.conf import settings as active
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db.models.functions import Now
from procrastinate.contrib.django.models import ProcrastinateJob

from api.models import ApiKey
from conversations.files.attachments import stored_name
from conversations.files.removal import FileToRemove, remove_unowned
from conversations.models import Attachment, Conversation, ConversationMessage
from conversations.tests.rows import conversation, message
from knowledge import sources
from knowledge.models import Source
from notifications.models import NotificationRecipient
from privacy import people
from privacy.exporting import requesting, writing
from privacy.exporting.contents import LEFT_OUT, TABLES
from privacy.models import Export, ExportPart
from tenants.models import Tenant
from tests.both_businesses import SECRET, THEIRS, rows_of, two_businesses
from tests.stage import Stage

Json = dict[str, Any]


@pytest.fixture
def tenants(stage: Stage) -> tuple[Tenant, Tenant]:
    """Two businesses with a row of every kind, and a file of a customer and of their knowledge."""
    ProcrastinateJob.objects.all()._raw_delete("default")  # the table isn't emptied between tests
    businesses = two_businesses()
    for tenant, mark in ((businesses.ours, "Ours"), (businesses.theirs, THEIRS)):
        found = rows_of(tenant, mark)
        settings, member = found["notifications/notificationsettings"].pk, found["tenants/membership"].pk
        NotificationRecipient.objects.create(settings_id=settings, membership_id=member, position=1)
        attach(found["conversations/conversationmessage"], f"{mark} file".encode())
        upload = ContentFile(f"{mark} prices".encode(), "prices.txt")
        with sources.announced([upload]) as (stored,):
            sources.add_file(Source(tenant=tenant), upload, stored)
    Export.objects.all().delete()
    return businesses.ours, businesses.theirs


def attach(said: Any, data: bytes) -> Attachment:
    stored = default_storage.save(stored_name("application/pdf"), ContentFile(data))
    return Attachment.objects.create(
        message=said, kind="document", mime_type="application/pdf", filename="bill.pdf", file=stored, state="ready"
    )


def entries(export: Export) -> dict[str, bytes]:
    """The content of all parts."""
    found: dict[str, bytes] = {}
    for part in export.parts.all():
        with part.file.open() as file, zipfile.ZipFile(io.BytesIO(file.read())) as archive:
            assert archive.testzip() is None
            found |= {name: archive.read(name) for name in archive.namelist()}
    return found


def rows_in(files: dict[str, bytes], table: str) -> list[Json]:
    """The rows of one table, from all parts."""
    found: list[Json] = []
    for name, data in files.items():
        if re.fullmatch(rf"{table}-\d+\.jsonl", name):
            found += [json.loads(line) for line in data.decode().splitlines()]
        elif re.fullmatch(rf"{table}-\d+\.json", name):
            found += json.loads(data)
    return found


def exported(stage: Stage, tenant: Tenant, person: people.Person | None = None) -> Export:
    export = requesting.request(tenant, person, None)
    stage.work()
    export.refresh_from_db()
    assert export.finished_at, export.error
    return export


def stored_exports() -> list[Path]:
    return list((Path(active.MEDIA_ROOT) / "exports").glob("*"))


# --- Contents ---


def test_every_table_is_exported_or_left_out_with_a_reason() -> None:
    exported = {table.model._meta.label for table in TABLES}
    unknown = []
    for model in apps.get_models(include_auto_created=True):
        label, app = model._meta.label, model._meta.app_label
        known = (label in exported) + (label in LEFT_OUT) + (app in LEFT_OUT and label not in exported)
        unknown += [label] if known != 1 else []
    assert not unknown, "Add these to TABLES or LEFT_OUT in privacy/exporting/contents.py"


def test_a_business_is_exported_completely_and_nothing_of_another(stage: Stage, tenants: tuple[Tenant, Tenant]) -> None:
    ours, _ = tenants
    files = entries(exported(stage, ours))
    for table in TABLES:
        path = table.tenant if not table.conversation else f"{table.conversation}__tenant".removeprefix("pk__")
        mine = table.model._base_manager.filter(**{path: ours.pk})
        got = {str(row["id"]) for row in rows_in(files, table.name)}
        assert got == {str(pk) for pk in mine.values_list("pk", flat=True)}, table.name
        assert got or table.name == "turn_steps" or table.name == "daily_usage", f"Plant a row of {table.name}"
    content = b"".join(files.values()).decode()
    assert "Ours question" in content
    assert THEIRS not in content
    (document,) = rows_in(files, "attachments")
    assert files[document["file"]] == b"Ours file"
    (source,) = [row for row in rows_in(files, "knowledge_sources") if row["file"]]
    assert files[source["file"]] == b"Ours prices"


def test_no_secret_is_exported(stage: Stage, tenants: tuple[Tenant, Tenant]) -> None:
    ours, _ = tenants
    content = b"".join(entries(exported(stage, ours)).values()).decode()
    assert SECRET not in content
    assert "gAAAA" not in content, "nor one that's encrypted"
    assert ApiKey.objects.get(tenant=ours).hash not in content
    suspicious = {
        f"{table.name}.{column}"
        for table in TABLES
        for column in table.columns
        if re.search(r"secret|token(?!s|_limit)|hash|password|key|private", column)
    }
    assert suspicious == set()


def test_a_person_is_exported_and_nobody_else(stage: Stage, tenants: tuple[Tenant, Tenant]) -> None:
    ours, _ = tenants
    other = conversation(ours, "491", contact_name="Other")
    attach(message(other, "Other text"), b"Other file")
    talk = Conversation.objects.get(tenant=ours, contact_name="Ours customer")
    person = people.find(ours, talk.external_id)
    assert person is not None
    files = entries(exported(stage, ours, person))
    assert [row["text"] for row in rows_in(files, "conversation_messages")] == ["Ours question", "Ours answer"]
    assert [row["name"] for row in rows_in(files, "leads")] == ["Ours lead"]
    assert [row["text"] for row in rows_in(files, "conversation_notes")] == ["Ours note"]
    assert rows_in(files, "notification_incidents")
    assert b"Ours file" in files.values()
    assert not [name for name in files if name.startswith(("api_keys", "memberships", "assistants", "tenants"))]
    content = b"".join(files.values()).decode()
    assert "Other" not in content
    assert THEIRS not in content


def test_a_file_that_is_missing_from_the_storage_is_named(stage: Stage, tenants: tuple[Tenant, Tenant]) -> None:
    ours, _ = tenants
    file = Attachment.objects.get(message__conversation__tenant=ours)
    default_storage.delete(str(file.file.name))
    files = entries(exported(stage, ours))
    assert files["missing-files-1.txt"].decode() == f"files/attachments/{file.pk}.pdf\n"


# --- Parts ---


def test_parts_are_bounded_and_complete_together(
    stage: Stage, tenants: tuple[Tenant, Tenant], monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, _ = tenants
    monkeypatch.setattr(writing, "PART_ROWS", 7)
    monkeypatch.setattr(writing, "CONVERSATIONS", 2)
    for number in range(5):
        talk = conversation(ours, f"55{number}")
        for text in range(number):
            message(talk, f"{number}-{text}")
    export = exported(stage, ours)
    assert export.parts_written == export.parts.count() > 3
    texts = [row["text"] for row in rows_in(entries(export), "conversation_messages")]
    mine = ConversationMessage.objects.filter(conversation__tenant=ours).order_by("pk")
    assert texts == list(mine.values_list("text", flat=True))
    assert export.done == export.total


def test_it_goes_on_after_a_crash_at_any_step(
    stage: Stage, tenants: tuple[Tenant, Tenant], monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, _ = tenants
    monkeypatch.setattr(writing, "PART_ROWS", 12)
    for step in ("write", "store", "record"):
        whole = getattr(writing.PartWriter, step)
        calls: list[int] = []

        def fail(self: Any, *args: Any, step: str = step, whole: Any = whole, calls: list[int] = calls) -> Any:
            calls.append(1)
            if len(calls) == 2:
                raise OSError(f"The disk is full at {step}")
            return whole(self, *args)

        with monkeypatch.context() as patched:
            patched.setattr(writing.PartWriter, step, fail)
            export = requesting.request(ours, None, None)
            stage.work()
            export.refresh_from_db()
            assert export.error == f"OSError: The disk is full at {step}"
            ProcrastinateJob.objects.all()._raw_delete("default")
            assert requesting.find_lost() == 1
            stage.work()
        export.refresh_from_db()
        assert export.finished_at
        assert export.error == ""
        ids = [row["id"] for row in rows_in(entries(export), "conversation_messages")]
        assert len(ids) == len(set(ids)) == ConversationMessage.objects.filter(conversation__tenant=ours).count()
        FileToRemove.objects.update(remove_at=Now())
        from_crashes = {str(part.file.name) for part in ExportPart.objects.all()}
        remove_unowned()
        assert {f"exports/{path.name}" for path in stored_exports()} == from_crashes


def test_two_jobs_for_the_same_part_record_it_once(stage: Stage, tenants: tuple[Tenant, Tenant]) -> None:
    export = requesting.request(tenants[0], None, None)
    writers = [writing.PartWriter(export) for _ in range(2)]
    for writer in writers:
        while (found := writer.read()) is not None:
            writer.write(*found)
        writer.announce()
        writer.store()
    assert [writer.record() for writer in writers] == [False, False]
    for writer in writers:
        writer.close()
    assert export.parts.count() == len(stored_exports()) == 1


def test_memory_is_bounded(stage: Stage, tenants: tuple[Tenant, Tenant]) -> None:
    ours, _ = tenants
    talk = conversation(ours, "777")
    texts = ("x" * 100_000 for _ in range(400))
    ConversationMessage.objects.bulk_create(
        (ConversationMessage(conversation=talk, role="user", text=text) for text in texts), batch_size=50
    )
    export = requesting.request(ours, None, None)
    writer = writing.PartWriter(export)
    tracemalloc.start()
    while (found := writer.read()) is not None:
        writer.write(*found)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    writer.close()
    assert peak < 25_000_000, "Of 40 MB of text, only some at a time"
    assert writer.rows > 400
