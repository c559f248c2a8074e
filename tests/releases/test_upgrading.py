"""The data of every release can be upgraded to this version, and work goes on where it stopped."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from config.embedded_postgres.cluster import programs
from operations.backup.promises import PROMISES
from tests.faults.conftest import Worlds, server, worlds  # noqa: F401 - fixtures
from tests.faults.postgres import PROJECT
from tests.faults.world import World

pytestmark = [pytest.mark.slow, pytest.mark.faults, pytest.mark.xdist_group("faults")]

RELEASES = sorted(manifest.parent for manifest in Path(__file__).parent.glob("*/manifest.json"))
OPEN = ("messages that would be sent", "turns that would be answered")
OPEN_IN_THE_DESK = """
from django.contrib.auth.models import User
from django.conf import settings
from django.test import Client
from conversations.models import Conversation
settings.STORAGES['staticfiles'] = {'BACKEND': 'django.contrib.staticfiles.storage.StaticFilesStorage'}
client = Client(SERVER_NAME='127.0.0.1')
client.force_login(User.objects.get(username='owner'))
talk = Conversation.objects.get(external_id='1001')
page = client.get(f'/admin/conversations/conversation/{talk.pk}/change/', secure=True, follow=True)
print(page.status_code, 'This was queued before the upgrade.' in page.content.decode())
"""


def test_there_is_a_release() -> None:
    assert RELEASES


@pytest.mark.parametrize("release", RELEASES, ids=lambda folder: folder.name)
def test_its_data_is_upgraded(worlds: Worlds, release: Path) -> None:  # noqa: F811
    manifest: dict[str, Any] = json.loads((release / "manifest.json").read_text())
    world = worlds(tenant=False, TURN_QUIET_SECONDS=0)
    load(world, release / "database.dump")
    migrate = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
    subprocess.run(migrate, cwd=PROJECT, env=world.environment(), check=True)

    for table, count in manifest["tables"].items():
        if not table.startswith(("django_", "auth_permission")):  # migrate adds rows there
            assert world.one(f'SELECT count(*) FROM "{table}"') == count, table
    broken = {promise: world.one(query) for promise, query in PROMISES.items() if promise not in OPEN}
    assert not any(broken.values()), broken

    # The model and Graph are elsewhere now.
    world.database.execute(f"UPDATE assistants SET base_url = '{world.wire.url}/model/default/v1'")
    world.database.execute("UPDATE conversations SET last_inbound_at = now()")
    assert world.run(OPEN_IN_THE_DESK) == "200 True"
    world.start()
    world.settle()
    sent = [call.text for call in world.wire.accepted]
    assert sent.count("This was queued before the upgrade.") == 1
    assert len([text for text in sent if "This is unanswered." in text]) == 1
    assert len(sent) == 2


def load(world: World, dump: Path) -> None:
    database = world.database
    database.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    command = [str(programs() / "pg_restore"), "--no-owner", "--exit-on-error", "--dbname", database.url, str(dump)]
    subprocess.run(command, check=True)
