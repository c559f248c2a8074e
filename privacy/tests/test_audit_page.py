"""The audit log's page, its files and its API: owners only, and of their own business only."""

import csv
import io
import json
from typing import Any

import pytest

from api.tests.clients import api_client
from audit.acting import Actor
from audit.choices import Action, ActorKind
from audit.models import AuditEntry
from audit.recording import record
from tenants.models import Tenant
from tenants.tests.people import TwoBusinesses

pytestmark = pytest.mark.django_db
PAGE = "/admin/audit/auditentry/"
EXPORT = f"{PAGE}export/"


@pytest.fixture
def logged(businesses: TwoBusinesses) -> TwoBusinesses:
    for tenant, name in ((businesses.ours, "Ana"), (businesses.theirs, "Zoe")):
        person = Actor(ActorKind.PERSON, name, 7, "192.0.2.1")
        change = {"field": "temperature", "before": "0.7", "after": "0.3"}
        record(Action.CHANGED, [tenant.pk], tenant, object="the assistant", changes=[change], actor=person)
        record(Action.READ, [tenant.pk], tenant, object="=conversation 5", actor=person)
    return businesses


def shown(businesses: TwoBusinesses, viewer: str, **query: str) -> list[str]:
    answer = businesses.browser(viewer).get(PAGE, query)
    return [f"{each.actor} {each.action}" for each in answer.context["cl"].result_list if each.actor in ("Ana", "Zoe")]


def test_owners_see_their_own_log_in_sentences(logged: TwoBusinesses) -> None:
    page = logged.browser("owner").get(PAGE)
    assert "changed the assistant: temperature 0.7 → 0.3" in page.content.decode()
    assert "Zoe" not in page.content.decode()
    assert shown(logged, "owner") == ["Ana read", "Ana changed"]
    assert len(shown(logged, "superuser")) == 4
    row = AuditEntry.objects.get(actor="Ana", action="changed")
    assert "0.7" in logged.browser("owner").get(f"{PAGE}{row.pk}/change/").content.decode()


@pytest.mark.parametrize("who", ["viewer", "operator", "nobody"])
def test_others_see_nothing(logged: TwoBusinesses, who: str) -> None:
    for url in (PAGE, f"{EXPORT}csv/", f"{EXPORT}json/"):
        assert logged.browser(who).get(url).status_code in (302, 403)


def test_filters_by_person_action_and_time(logged: TwoBusinesses) -> None:
    assert shown(logged, "owner", action__exact="read") == ["Ana read"]
    assert shown(logged, "owner", who="7") == ["Ana read", "Ana changed"]
    assert shown(logged, "owner", who="api_key") == []
    assert shown(logged, "owner", q="assistant") == ["Ana changed"]
    assert shown(logged, "owner", at_from="2000-01-01", at_to="2000-01-02") == []


def exported(answer: Any) -> str:
    return b"".join(answer.streaming_content).decode()


def test_exports_what_the_list_shows(logged: TwoBusinesses) -> None:
    owner = logged.browser("owner")
    rows = list(csv.DictReader(io.StringIO(exported(owner.get(f"{EXPORT}csv/", {"who": "7"})).removeprefix("\ufeff"))))
    assert [row["what"] for row in rows] == ["read =conversation 5", "changed the assistant: temperature 0.7 → 0.3"]
    lines = [json.loads(line) for line in exported(owner.get(f"{EXPORT}json/")).splitlines()]
    assert {line["business"] for line in lines} == {"Business ours"}
    assert lines[-1]["changes"] == [] or all("field" in each for each in lines[-1]["changes"])
    assert AuditEntry.objects.filter(action="exported", tenant=logged.ours).count() == 2
    assert not AuditEntry.objects.filter(action="exported", tenant=logged.theirs).exists()


def test_an_owners_key_reads_it(logged: TwoBusinesses) -> None:
    owners = api_client(logged.ours, logged.people["owner"], "read")
    found = owners.get("audit", action="changed").json()["results"]
    assert [each["summary"] for each in found] == ["Ana changed the assistant: temperature 0.7 → 0.3"]
    assert api_client(logged.ours, logged.people["operator"]).get("audit").status_code == 403


def test_a_deleted_business_leaves_its_log_to_superusers(logged: TwoBusinesses) -> None:
    Tenant.objects.filter(pk=logged.ours.pk).delete()
    assert AuditEntry.objects.filter(actor="Ana", business="Business ours").count() == 2
    assert len(shown(logged, "superuser")) == 4
    assert shown(logged, "stranger") == ["Zoe read", "Zoe changed"]
