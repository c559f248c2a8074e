"""Random requests of one business find nothing of another, change nothing there, and never fail with a 500.

`make test` makes a few hundred, `make fuzz` 100,000. A finding names its seed and number, which make it again.
"""

import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest
from django.db import connection, transaction
from django.test import Client

from api import keys
from api.base import ApiView
from api.tests.clients import api_client
from conversations.tests.rows import conversation
from leads.models import Lead
from tenants import scoped_admin
from tenants.access import has_role_anywhere
from tenants.tests.people import TwoBusinesses
from tests.both_businesses import SECRET, THEIRS, rows_of, two_businesses
from tests.fake_network import FakeNetwork
from tests.isolation_report import Report
from tests.stage import completion
from tests.walls import without_row_security

from .requests import OUR_SECRET, Request, Requests
from .snapshot import Snapshot

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.filterwarnings("default:.*received a naive datetime"),  # of a crafted filter
]
SHARDS = 20
FEW = 400
MANY = int(os.environ.get("FUZZ_REQUESTS") or 100_000)
SEED = int(os.environ.get("FUZZ_SEED") or 1)
Fuzz = Callable[[int, int], list[str]]


@pytest.fixture
def fuzz(settings: Any, tmp_path: Path, network: FakeNetwork, isolation_report: Report) -> Fuzz:
    """Makes that many requests from a seed. Returns what was found."""
    settings.MEDIA_ROOT, settings.API_RATE_LIMIT, settings.MULTITENANT_ENABLED = str(tmp_path), 10**9, True
    settings.WHATSAPP_APP_SECRETS, settings.OPENAI_API_KEY = ["of-the-installation"], "key"
    network.graph = lambda request: httpx2.Response(401, json={})
    network.model = lambda request: completion("Fine.")
    businesses = two_businesses()
    ours, theirs = rows_of(businesses.ours, "Ours"), rows_of(businesses.theirs, THEIRS)
    type(ours["whatsapp/whatsappaccount"])._default_manager.filter(tenant=businesses.ours).update(app_secret=OUR_SECRET)
    cursors = cursors_of(businesses)
    clients = clients_of(businesses)
    snapshot = Snapshot(businesses.theirs)

    def run(seed: int, count: int) -> list[str]:
        requests, statuses, findings = Requests(seed, ours, theirs, cursors), Counter[str](), list[str]()
        for number in range(count):
            request = requests.next()
            who = requests.random.choice(suitable(request) if requests.chance(0.9) else list(clients))
            with transaction.atomic():
                response = send(clients[who], request)
                found = looked_at(response)
                if not connection.needs_rollback and (changed := unbroken(snapshot)):
                    found.append(f"changed {', '.join(changed)}")
                transaction.set_rollback(True)
            statuses[str(response.status_code)] += 1
            findings += [f"seed {seed}, number {number}: {who}: {request}: {each}" for each in found]
        refused = sum(statuses[status] for status in ("400", "401", "403", "404", "405"))
        isolation_report(f"fuzzing with seed {seed}", len(requests.routes), refused, statuses)
        return findings

    return run


def cursors_of(businesses: TwoBusinesses) -> list[str]:
    """Valid positions in the other business's lists."""
    stranger = api_client(businesses.theirs, businesses.people["stranger"])
    Lead.objects.create(tenant=businesses.theirs, conversation=(talk := conversation(businesses.theirs, "4900")))
    pages = ["conversations", "leads", f"conversations/{talk.pk - 1}/messages"]
    urls = [stranger.get(page, limit=1).json().get("next") or "" for page in pages]
    return [str(httpx2.URL(url).params["cursor"]) for url in urls if "cursor" in url]


def clients_of(businesses: TwoBusinesses) -> dict[str, Client]:
    owner = businesses.people["owner"]
    headers = {
        "key that writes": f"Bearer {api_client(businesses.ours, owner).token}",
        "key that reads": f"Bearer {api_client(businesses.ours, owner, 'read').token}",
        "owner's token": f"Token {keys.generate_admin_token(owner)}",
    }
    clients = {role: businesses.browser(role) for role in ("owner", "operator", "viewer", "nobody")}
    clients |= {name: Client(headers={"Authorization": value}) for name, value in headers.items()}
    clients["anonymous"] = Client()
    for client in clients.values():
        client.raise_request_exception = False
    return clients


def suitable(request: Request) -> list[str]:
    """Those who get furthest with this request."""
    if request.url.startswith("/api/admin/"):
        return ["owner's token"]
    if request.url.startswith("/api/"):
        return ["key that writes", "key that writes", "key that reads"]
    return ["owner", "owner", "operator", "viewer"]


def send(client: Client, request: Request) -> Any:
    method: Any = getattr(client, request.method.lower())
    arguments: dict[str, Any] = {"headers": request.headers}
    if request.data is not None:
        arguments["data"] = request.data
    if request.content_type:
        arguments["content_type"] = request.content_type
    return method(request.url, **arguments)


def looked_at(response: Any) -> list[str]:
    body = (response.getvalue() if response.streaming else response.content).decode(errors="replace")
    body += str(response.headers)
    found = [f"shows {what}" for what, mark in (("a secret", SECRET), ("a row", THEIRS)) if mark in body]
    if response.status_code == 500:
        error = getattr(response, "exc_info", None)
        found.append(
            f"answered {response.status_code}: {error[1]!r:.300}" if error else f"answered {response.status_code}"
        )
    return found


def unbroken(snapshot: Snapshot) -> list[str]:
    """What has changed; nothing after a statement that failed, which undid everything."""
    connection.ensure_connection()
    if connection.connection.info.transaction_status.name == "INERROR":
        return []
    return snapshot.changed()


def test_a_few_requests_find_nothing(fuzz: Fuzz) -> None:
    assert fuzz(SEED, FEW) == []


@pytest.mark.slow
@pytest.mark.fuzz
@pytest.mark.parametrize("shard", range(SHARDS))
def test_many_requests_find_nothing(fuzz: Fuzz, shard: int) -> None:
    assert fuzz(SEED * SHARDS + shard, -(-MANY // SHARDS)) == []


def test_holes_in_the_admin_are_found(fuzz: Fuzz, monkeypatch: pytest.MonkeyPatch) -> None:
    without_row_security(monkeypatch)
    monkeypatch.setattr(scoped_admin, "for_user", lambda rows, *_: rows)
    monkeypatch.setattr(scoped_admin, "has_role", lambda person, roles, _: has_role_anywhere(person, roles))
    findings = " ".join(fuzz(SEED, FEW // 2))
    assert "shows a row" in findings
    assert "changed " in findings


def test_a_hole_in_the_api_is_found(fuzz: Fuzz, monkeypatch: pytest.MonkeyPatch) -> None:
    without_row_security(monkeypatch)
    monkeypatch.setattr(ApiView, "visible", lambda self, rows, tenant_path="tenant": rows)
    assert "shows a row" in " ".join(fuzz(SEED, FEW // 2))
