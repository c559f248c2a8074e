"""A backup is restored that is older than what customers have been told: no one is answered twice."""

import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import Worlds
from .meta import inbound, said, status
from .postgres import PROJECT
from .world import World

pytestmark = [pytest.mark.slow, pytest.mark.faults, pytest.mark.xdist_group("faults")]

FLAGGED = "SELECT external_id FROM conversations WHERE needs_person <> '' ORDER BY 1"


def manage(world: World, *arguments: str) -> str:
    command = [sys.executable, "manage.py", *arguments]
    done = subprocess.run(
        command,
        cwd=PROJECT,
        env=world.environment(LOG_LEVEL="ERROR", MEDIA_FOLDER=world.folder / "media"),
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    return f"{done.stdout}{done.stderr}"


def test_after_a_restore_no_customer_is_answered_twice(worlds: Worlds, tmp_path: Path) -> None:
    world = worlds(TURN_QUIET_SECONDS=0)
    world.start()
    world.meta.deliver(inbound(said("before", "1001")))
    world.settle()
    world.workers[0].terminate()
    world.workers[0].wait(60)

    # What is open when the backup is made: a turn, a reply, a takeover, and a turn that waits for its model.
    waiting = [said("waiting", who) for who in ("1002", "1004", "1005")]
    world.meta.deliver(*(inbound(each) for each in waiting))
    world.run(
        "from conversations.models import Conversation as C\n"
        "from conversations.outbox.queue import send\n"
        "send(C.objects.get(external_id='1001'), 'queued')"
    )
    world.database.execute(
        "UPDATE conversations SET handled_by = 'operator', person_at = now() WHERE external_id = '1004';"
        "UPDATE turns SET state = 'suppressed', outcome = 'taken over', finished_at = now() WHERE conversation_id ="
        " (SELECT id FROM conversations WHERE external_id = '1004');"
        "UPDATE turns SET state = 'failed', outcome = 'silent', finished_at = now(), waits_for = 'no key: another'"
        " WHERE conversation_id = (SELECT id FROM conversations WHERE external_id = '1005')"
    )
    (world.folder / "media").mkdir()
    (world.folder / "media" / "cake.jpg").write_bytes(b"cake")
    assert "Backed up" in manage(world, "backup", str(tmp_path / "backups"))
    ids = world.one("SELECT max(id) FROM conversation_messages")

    # All of it is answered after that, and so are new messages.
    world.start_worker()
    world.run(
        "from conversations import handover\n"
        "from conversations.models import Conversation as C\n"
        "handover.hand_back(C.objects.get(external_id='1004').pk)"
    )
    later = [said("later", who) for who in ("1001", "1006")]
    world.meta.deliver(*(inbound(each) for each in later))
    world.wait(lambda: len(world.wire.accepted) == 7, what="not everyone was answered")
    world.settle()
    before = list(world.wire.accepted)
    for process in (*world.webs, *world.workers):
        if process.is_running:
            process.kill()

    (world.folder / "media" / "cake.jpg").unlink()
    refused = manage(world, "restore", str(tmp_path / "backups"), "--yes")
    assert "isn't empty" in refused
    assert "--overwrite" in refused
    restored = manage(world, "restore", str(tmp_path / "backups"), "--yes", "--overwrite")
    assert "3 conversations need a person" in restored, restored
    assert (world.folder / "media" / "cake.jpg").read_bytes() == b"cake"

    # Meta delivers again what it likes, and reports on what was sent. A customer goes on.
    world.start()
    world.meta.deliver(*(inbound(each) for each in (*waiting, *later)))
    for call in before:
        world.meta.deliver(status("read", call))
    world.run(
        "from conversations import handover\n"
        "from conversations.models import Conversation as C\n"
        "handover.hand_back(C.objects.get(external_id='1004').pk)"
    )
    world.meta.deliver(inbound(said("new", "1002")))
    world.wait(lambda: len(world.wire.accepted) > len(before), what="the new message wasn't answered")
    world.settle()
    after = world.wire.accepted[len(before) :]
    assert [(call.to, "new" in call.text) for call in after] == [("1002", True)], [call.text for call in after]
    assert int(after[0].opaque) > ids + 1_000_000, "Meta may still name the IDs that were given after the backup"
    assert world.database.column(FLAGGED) == ["1001", "1002", "1004", "1005", "1006"]
    assert world.one("SELECT status FROM conversation_messages WHERE text = 'queued'") == "read"
