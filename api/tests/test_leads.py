"""Listing and updating leads."""

from typing import Any

import pytest

from api.tests.clients import Clients
from conversations.tests.rows import conversation
from leads.models import Lead


def lead(clients: Clients, number: str, **columns: Any) -> Lead:
    tenant = clients.businesses.ours
    return Lead.objects.create(tenant=tenant, conversation=conversation(tenant, number), phone=number, **columns)


def test_leads_are_listed_newest_first_and_by_stage(clients: Clients) -> None:
    lead(clients, "491", name="Ann")
    lead(clients, "492", name="Bo", stage="won")
    assert [row["name"] for row in clients.reader.get("leads").json()["results"]] == ["Bo", "Ann"]
    assert [row["name"] for row in clients.reader.get("leads", stage="new").json()["results"]] == ["Ann"]
    assert clients.reader.get("leads", stage="lucky").status_code == 400
    assert clients.theirs.get("leads").json()["results"] == []


def test_an_update_changes_what_is_not_read_only(clients: Clients) -> None:
    ann = lead(clients, "491", name="Ann")
    data = {"stage": "won", "notes": "Called.", "fields": {"size": [1, {"a": None}]}, "name": "Anna"}
    data |= {"first_text": "x", "source": "x"}
    answer = clients.writer.patch(f"leads/{ann.pk}", data)
    assert answer.status_code == 200
    assert answer.json() == clients.reader.get(f"leads/{ann.pk}").json()
    ann.refresh_from_db()
    assert (ann.stage, ann.notes, ann.fields) == ("won", "Called.", {"size": [1, {"a": None}]})
    assert (ann.name, ann.first_text, ann.source) == ("Anna", "", "whatsapp")
    assert clients.writer.patch(f"leads/{ann.pk}").status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        '{"fields": "none"}',
        '{"fields": null}',
        '{"fields": {"a": "\\u0000"}}',
        '{"fields": {"\\u0000": 1}}',
        '{"fields": {"a": "\\ud800"}}',
        '{"fields": {"a": 1e999}}',
        '{"fields": {"a": ' + "[" * 70 + "]" * 70 + "}}",
        '{"stage": "lucky"}',
        '{"notes": "\\u0000"}',
    ],
)
def test_values_that_cannot_be_stored_are_refused(clients: Clients, body: str) -> None:
    ann = lead(clients, "491")
    client, headers = clients.writer.client, {"Authorization": f"Bearer {clients.writer.token}"}
    answer = client.patch(f"/api/leads/{ann.pk}", body, content_type="application/json", headers=headers)
    assert answer.status_code == 400, answer.content
