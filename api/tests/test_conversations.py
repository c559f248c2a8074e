"""Listing, filtering, searching and updating conversations, takeover and hand-back."""

import datetime as dt
from typing import Any

import pytest
from django.utils import timezone

from api.tests.clients import ApiClient, Clients, api_client
from conversations import handover
from conversations.models import Conversation
from conversations.tests.rows import conversation, message
from notifications.choices import Kind
from notifications.models import NotificationIncident
from tenants.models import Tenant


def names(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.json()
    return [row["contact_name"] for row in answer.json()["results"]]


def all_pages(asker: ApiClient, address: str, **query: Any) -> list[Any]:
    answer = asker.get(address, **query).json()
    rows: list[Any] = answer["results"]
    while answer["next"]:
        answer = asker.get(answer["next"].partition("/api/")[2]).json()
        rows += answer["results"]
    return rows


@pytest.fixture
def three(clients: Clients) -> dict[str, Conversation]:
    ours = clients.businesses.ours
    conversation(clients.businesses.theirs, "491", contact_name="Zebra")
    now = timezone.now()
    return {
        name: conversation(ours, f"49{number}", contact_name=name, updated_at=now - dt.timedelta(hours=number))
        for number, name in enumerate(["Ann", "Bo", "Cy"])
    }


def test_own_conversations_are_listed_last_change_first(clients: Clients, three: dict[str, Conversation]) -> None:
    assert names(clients.reader.get("conversations")) == ["Ann", "Bo", "Cy"]
    assert names(clients.reader.get("conversations", order="oldest")) == ["Cy", "Bo", "Ann"]
    handover.mark_needs_person([three["Cy"].pk], "The model failed.")
    assert names(clients.reader.get("conversations")) == ["Cy", "Ann", "Bo"]


def test_conversations_can_be_filtered(clients: Clients, three: dict[str, Conversation]) -> None:
    Conversation.objects.filter(pk=three["Ann"].pk).update(needs_person="why", phone_number_id="7")
    Conversation.objects.filter(pk=three["Bo"].pk).update(handled_by="operator", is_active=False)
    expected: list[tuple[dict[str, Any], list[str]]] = [
        ({"needs_person": "true"}, ["Ann"]),
        ({"needs_person": "false"}, ["Bo", "Cy"]),
        ({"handled_by": "operator"}, ["Bo"]),
        ({"active": "false"}, ["Bo"]),
        ({"active": "true", "handled_by": "assistant"}, ["Ann", "Cy"]),
        ({"phone_number_id": "7"}, ["Ann"]),
        ({"updated_since": (timezone.now() - dt.timedelta(minutes=90)).isoformat()}, ["Ann", "Bo"]),
    ]
    for query, found in expected:
        assert names(clients.reader.get("conversations", **query)) == found, query


def test_search_finds_names_numbers_and_words(clients: Clients, three: dict[str, Conversation]) -> None:
    message(three["Cy"], "Do you have strawberries?")
    assert names(clients.reader.get("conversations", search="ann")) == ["Ann"]
    assert names(clients.reader.get("conversations", search="+49 1")) == ["Bo"]
    assert names(clients.reader.get("conversations", search="strawb")) == ["Cy"]
    assert names(clients.theirs.get("conversations", search="strawb")) == []


@pytest.mark.parametrize(
    "query",
    [
        {"handled_by": "nobody"},
        {"needs_person": "perhaps"},
        {"active": ""},
        {"updated_since": "yesterday"},
        {"updated_since": "0001-01-01T00:00:00+14:00"},
        {"limit": "0"},
        {"limit": "all"},
        {"order": "random"},
        {"search": "\x00"},
    ],
)
def test_invalid_query_parameters_are_named(clients: Clients, query: dict[str, str]) -> None:
    answer = clients.reader.get("conversations", **query)
    assert answer.status_code == 400
    assert list(answer.json()) == list(query)


@pytest.mark.parametrize("cursor", ["x", "cD14", "cD0yMDI2", "cj0xJnA9MQ==", "bz0tMQ==", "cD0lMDA="])
def test_an_invalid_cursor_never_fails(clients: Clients, cursor: str) -> None:
    talk = conversation(clients.businesses.ours, "491")
    for address in ("conversations", "leads", f"conversations/{talk.pk}/messages"):
        assert clients.reader.get(address, cursor=cursor).status_code in (200, 404)


def test_pages_have_no_gaps(clients: Clients) -> None:
    instant = timezone.now()
    for number in range(25):
        moment = instant - dt.timedelta(seconds=number // 4)  # several at the same time
        conversation(clients.businesses.ours, f"49{number}", contact_name=str(number), updated_at=moment)
    for order in ("newest", "oldest"):
        rows = all_pages(clients.reader, "conversations", limit=4, order=order)
        assert sorted(int(row["contact_name"]) for row in rows) == list(range(25))
    assert len(clients.reader.get("conversations", limit=4).json()["results"]) == 4


def test_lists_need_a_constant_number_of_queries(clients: Clients, django_assert_num_queries: Any) -> None:
    clients.reader.get("key")
    for number in range(12):
        conversation(clients.businesses.ours, f"49{number}", operator=clients.owner)
        if number in (0, 11):
            with django_assert_num_queries(3):  # the key, the rate limit, the page
                clients.reader.get("conversations")


def test_a_conversation_can_be_retrieved(clients: Clients, three: dict[str, Conversation]) -> None:
    row = clients.reader.get(f"conversations/{three['Ann'].pk}").json()
    assert (row["id"], row["contact_name"], row["handled_by"]) == (three["Ann"].pk, "Ann", "assistant")
    assert row["window_closes_at"] > timezone.now().isoformat()


def test_the_name_and_the_active_state_can_be_updated(clients: Clients, three: dict[str, Conversation]) -> None:
    path = f"conversations/{three['Cy'].pk}"
    data = {"contact_name": "Cyrus", "is_active": False, "external_id": "1", "handled_by": "operator"}
    row = clients.writer.patch(path, data).json()
    assert (row["contact_name"], row["is_active"]) == ("Cyrus", False)
    assert (row["external_id"], row["handled_by"]) == (three["Cy"].external_id, "assistant")
    assert names(clients.reader.get("conversations")) == ["Cyrus", "Ann", "Bo"]
    assert clients.writer.patch(path, {}).json()["updated_at"] == row["updated_at"]
    assert clients.writer.patch(path, {"is_active": "perhaps"}).status_code == 400


def test_a_flag_can_be_set_and_cleared(clients: Clients, three: dict[str, Conversation]) -> None:
    path = f"conversations/{three['Cy'].pk}"
    reason = "A reply is waiting: payment failed."  # reads like one of ours
    row = clients.writer.patch(path, {"needs_person": reason, "contact_name": "Cyrus"}).json()
    assert (row["needs_person"], row["contact_name"]) == (reason, "Cyrus")
    assert row["needs_person_since"]
    assert NotificationIncident.objects.get().kind == Kind.HANDOVER
    assert names(clients.reader.get("conversations", needs_person="true")) == ["Cyrus"]
    row = clients.writer.patch(path, {"needs_person": ""}).json()
    assert (row["needs_person"], row["needs_person_since"], row["contact_name"]) == ("", None, "Cyrus")
    assert clients.writer.patch(path, {"needs_person": "x" * 256}).status_code == 400
    assert clients.reader.patch(path, {"needs_person": "Mine"}).status_code == 403
    assert clients.theirs.patch(path, {"needs_person": "Mine"}).status_code == 404


def test_takeover_and_hand_back_are_in_the_name_of_the_keys_creator(
    clients: Clients, three: dict[str, Conversation]
) -> None:
    address = f"conversations/{three['Ann'].pk}"
    taken = clients.writer.post(f"{address}/take-over").json()
    assert (taken["handled_by"], taken["operator"]) == ("operator", "our-owner")
    given = clients.writer.post(f"{address}/hand-back").json()
    assert (given["handled_by"], given["operator"]) == ("assistant", None)


def test_serves_the_single_business(clients: Clients) -> None:
    from_nobody = conversation(None, "4977", contact_name="Nora")

    single = api_client(Tenant.objects.single(), clients.businesses.people["superuser"])
    assert names(single.get("conversations")) == ["Nora"]
    assert clients.writer.get(f"conversations/{from_nobody.pk}").status_code == 404
