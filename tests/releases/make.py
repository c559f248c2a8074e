"""Makes the small backup of this version's data that later versions are tested with: `python -m tests.releases.make`.

Run it once for each release, on the commit that is released.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.faults import postgres
from tests.faults.meta import NUMBER, echo, inbound, said
from tests.faults.processes import PRODUCTION
from tests.faults.world import World

RELEASES = Path(__file__).parent
FILL = """
from django.contrib.auth.models import User
from conversations.models import Conversation, ConversationNote
from conversations.outbox.queue import send
from tenants.models import Membership, Tenant
from webhooks.models import WebhookEndpoint
owner = User.objects.create_superuser('owner', 'owner@example.com', 'a password of a test')
Membership.objects.create(tenant=Tenant.objects.get(), user=owner, role='owner')
talk = Conversation.objects.get(external_id='1001')
ConversationNote.objects.create(conversation=talk, author=owner, text='Wants a cake on Saturday.')
WebhookEndpoint.objects.create(tenant=talk.tenant, url='https://example.com/hook', event_types=['lead.created'])
send(talk, 'This was queued before the upgrade.')
"""


def make(folder: Path) -> None:
    with (
        tempfile.TemporaryDirectory() as scratch,
        postgres.running({**postgres.plain_environment(), **PRODUCTION}) as server,
    ):
        world = World(server.create(), Path(scratch))
        try:
            fill(world)
            command = [sys.executable, "manage.py", "backup", scratch, "--without-files"]
            subprocess.run(command, cwd=postgres.PROJECT, env=world.environment(), check=True)
            (made,) = Path(scratch).glob("*/manifest.json")
            shutil.rmtree(folder, ignore_errors=True)
            shutil.move(made.parent, folder)
        finally:
            world.close()


def fill(world: World) -> None:
    """Answered and unanswered customers, a takeover, a queued message and an open turn."""
    world.add_tenant()
    world.start()
    for turn in range(3):
        world.meta.deliver(*(inbound(said(f"message {turn}", f"{1001 + customer}")) for customer in range(5)))
        world.settle()
    world.meta.deliver(echo("1005"))
    world.settle()
    world.workers[0].terminate()
    world.workers[0].wait(60)
    world.run(FILL)
    world.meta.deliver(inbound(said("This is unanswered.", "1002"), number=NUMBER))


if __name__ == "__main__":
    version = sys.argv[1] if len(sys.argv) > 1 else sys.exit("Name the version: python -m tests.releases.make 0.2.0")
    make(RELEASES / version)
    print(RELEASES / version)
