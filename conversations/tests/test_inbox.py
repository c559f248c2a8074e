"""The inbox: its tabs and rows, how an open page stays up to date, and what the buttons answer its script."""

import datetime as dt
from collections.abc import Sequence
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone

from conversations import handover
from conversations.desk import inbox, list_rows, polling, version
from conversations.desk.list_rows import ListRow
from conversations.models import Conversation, DeskPreferences
from conversations.tests.open_page import LIST, OpenPage
from conversations.tests.rows import conversation, message
from tenants.tests.people import Role, TwoBusinesses, browser_of, person
from tests.round_trips import round_trips

pytestmark = pytest.mark.django_db


@pytest.fixture
def three(businesses: TwoBusinesses) -> dict[str, Conversation]:
    """Ann needs someone, our operator has Bo, the assistant has Cy."""
    conversation(businesses.theirs, "490", contact_name="Zebra", needs_person="Their reason")
    now = timezone.now()
    columns: dict[str, dict[str, Any]] = {
        "Ann": {"needs_person": "Asked for a person", "needs_person_since": now - dt.timedelta(minutes=5)},
        "Bo": {"handled_by": "operator", "operator": businesses.people["operator"]},
        "Cy": {},
    }
    return {
        name: conversation(businesses.ours, f"49{number}", contact_name=name, **columns[name])
        for number, name in enumerate(columns, start=1)
    }


def names(page: str) -> list[str]:
    return [name for name in ("Ann", "Bo", "Cy", "Zebra") if f'dir="auto">{name}</strong>' in page]


@pytest.mark.parametrize(("tab", "found"), [("needs", ["Ann"]), ("mine", ["Bo"]), ("all", ["Ann", "Bo", "Cy"])])
def test_each_tab_has_its_conversations(
    businesses: TwoBusinesses, three: dict[str, Conversation], tab: str, found: list[str]
) -> None:
    page = businesses.browser("operator").get(LIST, {"tab": tab}).content.decode()
    assert names(page) == found
    for label, count in (("Needs an agent", 1), ("Mine", 1), ("All", 3)):
        assert f'{label} <span class="inbox-count">{count}</span>' in page


def test_who_has_waited_longest_comes_first(businesses: TwoBusinesses, three: dict[str, Conversation]) -> None:
    longer = timezone.now() - dt.timedelta(hours=1)
    Conversation.objects.filter(pk=three["Cy"].pk).update(needs_person="Angry", needs_person_since=longer)
    page = businesses.browser("operator").get(LIST, {"tab": "needs"}).content.decode()
    assert page.index(">Cy<") < page.index(">Ann<")


def test_counts_stop_at_a_limit(
    businesses: TwoBusinesses, three: dict[str, Conversation], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox, "MAX_COUNTED", 2)
    page = businesses.browser("operator").get(LIST).content.decode()
    assert 'All <span class="inbox-count">1+</span>' in page


def test_a_row_shows_the_customers_last_words_when_they_were_sent_and_the_reason(
    businesses: TwoBusinesses, three: dict[str, Conversation]
) -> None:
    yesterday = timezone.now() - dt.timedelta(days=1)
    message(three["Ann"], "I want a person!", sent_at=yesterday)
    message(three["Ann"], "[reaction] ❤️", kind="reaction")
    message(three["Ann"], "A colleague will help.", "assistant")
    page = businesses.browser("viewer").get(LIST, {"tab": "needs"}).content.decode()
    assert "I want a person!" in page
    assert "A colleague will help." not in page
    assert "Asked for a person" in page
    assert f"{yesterday.day} {yesterday:%b}</time>" in page


def test_a_poll_finds_a_change_that_committed_late(businesses: TwoBusinesses, three: dict[str, Conversation]) -> None:
    desk = OpenPage(businesses.browser("viewer"))
    assert desk.poll() == {}
    # Its time is before that of the newest change: the transaction was slow.
    earlier = timezone.now() - dt.timedelta(minutes=1)
    Conversation.objects.filter(pk=three["Cy"].pk).update(needs_person="Late", updated_at=earlier)
    assert "Late" in desk.poll()["inbox-rows"]
    assert desk.poll() == {}


def test_a_poll_sees_nothing_of_another_business(businesses: TwoBusinesses, three: dict[str, Conversation]) -> None:
    desk = OpenPage(businesses.browser("operator"), three["Ann"])
    theirs = Conversation.objects.get(contact_name="Zebra")
    message(theirs, "Hi")
    Conversation.objects.filter(pk=theirs.pk).update(contact_name="Zebra 2", updated_at=timezone.now())
    assert desk.poll() == {}


@pytest.mark.django_db(transaction=True)
def test_a_poll_without_a_change_costs_one_round_trip(
    businesses: TwoBusinesses, three: dict[str, Conversation], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(polling, "TRUSTED_SECONDS", 3600)
    desk = OpenPage(businesses.browser("operator"), three["Ann"])
    desk.poll()
    assert round_trips(lambda: desk.poll()) == 1


@pytest.mark.django_db(transaction=True)
def test_a_poll_that_checks_the_session_costs_four_round_trips(
    businesses: TwoBusinesses, three: dict[str, Conversation], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Session, user, roles, and one query for everything on the page."""
    monkeypatch.setattr(polling, "TRUSTED_SECONDS", 0)
    desk = OpenPage(businesses.browser("operator"), three["Ann"])
    desk.poll()
    assert round_trips(lambda: desk.poll()) == 4


def test_a_session_is_trusted_only_for_seconds_and_only_for_no_change(
    businesses: TwoBusinesses, three: dict[str, Conversation], monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = OpenPage(businesses.browser("operator"), three["Ann"])
    desk.poll()

    def poll(client: Client) -> int:
        return client.get(desk.live, headers={"If-None-Match": desk.version}).status_code

    assert poll(Client()) == 302  # a stranger who has seen the version
    assert poll(businesses.browser("stranger")) == 404
    Session.objects.all().delete()
    message(three["Ann"], "News")
    assert poll(desk.client) == 302  # a change is never shown without a session
    monkeypatch.setattr(polling, "TRUSTED_SECONDS", 0)
    other = OpenPage(businesses.browser("owner"), three["Ann"])
    other.poll()
    Session.objects.all().delete()
    assert other.client.get(other.live, headers={"If-None-Match": other.version}).status_code == 302


def test_desks_that_show_the_same_share_one_rendering(
    businesses: TwoBusinesses, three: dict[str, Conversation], monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = list_rows.rows_for
    rendered = []

    def rows_for(conversations: Sequence[Conversation], term: str) -> list[ListRow]:
        rendered.append(len(conversations))
        return shown(conversations, term)

    monkeypatch.setattr(inbox, "rows_for", rows_for)
    businesses.people["second"] = person("second", ours=Role.OPERATOR)
    desks = [
        OpenPage(businesses.browser(who), query=query)
        for who, query in (("operator", ""), ("second", ""), ("viewer", ""), ("stranger", ""))
    ]
    rendered.clear()
    handover.mark_needs_person([three["Cy"].pk], "Angry")
    parts = [desk.poll() for desk in desks]
    assert [names(each.get("inbox-rows", "")) for each in parts] == [["Ann", "Bo", "Cy"]] * 3 + [[]]
    assert rendered == [3, 3]  # those who may select rows, and the viewer
    assert "Select Cy" in parts[0]["inbox-rows"]
    assert "Select Cy" not in parts[2]["inbox-rows"]
    mine = [OpenPage(businesses.browser(who), query="?tab=mine") for who in ("operator", "second")]
    handover.mark_needs_person([three["Cy"].pk], "Very angry")
    assert [names(desk.poll()["inbox-rows"]) for desk in mine] == [["Bo"], []]


def test_a_version_survives_its_etag() -> None:
    from_etag = version.Version.parse('W/"ab.cd.12.3-45"')
    assert from_etag == version.Version("ab", "cd", "12", "3-45")
    assert version.Version.parse(from_etag.etag) == from_etag
    for nonsense in ("", "*", '"x"', '"ab.cd.12"', '"ab.cd.12.0-", "ab.cd.13.0-"', '"' + "1" * 99 + '"'):
        assert version.Version.parse(nonsense) == version.Version()


def post(client: Client, address: str, **data: object) -> Any:
    response = client.post(LIST + address, data, headers={"Accept": "application/json"})
    assert response.status_code == 200
    return response.json()


def test_sending_answers_the_script_with_what_changed(
    businesses: TwoBusinesses, three: dict[str, Conversation]
) -> None:
    desk = OpenPage(businesses.browser("operator"), three["Ann"], "?tab=needs")
    answer = post(desk.client, f"{three['Ann'].pk}/reply/?tab=needs", text="I am here.", version=desk.version)
    assert answer["sent"] is True
    assert "I am here." in answer["parts"]["newest"]
    assert "Handled by our-operator" in answer["parts"]["desk-head"]
    assert names(answer["parts"]["inbox-rows"]) == []  # answered by a person: no longer flagged
    assert 'Mine <span class="inbox-count">2</span>' in answer["parts"]["inbox-tabs"]
    desk.version = answer["version"]
    assert desk.poll() == {}


def test_a_refusal_reaches_the_script(businesses: TwoBusinesses, three: dict[str, Conversation]) -> None:
    client = browser_of(person("second", ours=Role.OPERATOR))
    answer = post(client, f"{three['Bo'].pk}/reply/", text="Me too")
    assert "sent" not in answer
    reason = "Not sent. our-operator is handling this conversation. Take over to reply."
    assert answer["notices"] == [{"level": "error", "text": reason}]


def test_marks_many_as_handled_but_only_those_one_may_change(
    businesses: TwoBusinesses, three: dict[str, Conversation]
) -> None:
    Conversation.objects.filter(contact_name="Cy").update(needs_person="Angry")
    selected = [*Conversation.objects.values_list("pk", flat=True), "x", "99999999999999999999"]
    client = businesses.browser("operator")
    response = client.post(f"{LIST}mark-handled/?tab=needs", {"selected": selected})
    assert response["Location"] == f"{LIST}?tab=needs"
    assert Conversation.objects.exclude(needs_person="").get().contact_name == "Zebra"
    assert "Marked 2 conversations as handled." in client.get(LIST).content.decode()
    assert businesses.browser("viewer").post(f"{LIST}mark-handled/", {"selected": selected}).status_code == 403


def test_each_person_chooses_whether_enter_sends(businesses: TwoBusinesses, three: dict[str, Conversation]) -> None:
    client = businesses.browser("operator")
    page = f"{LIST}{three['Ann'].pk}/change/"
    box = 'id="enter-sends" autocomplete="off" checked'
    assert box not in client.get(page).content.decode()
    post(client, "preferences/", enter_sends="on")
    assert box in client.get(page).content.decode()
    assert box not in businesses.browser("owner").get(page).content.decode()
    post(client, "preferences/")
    assert box not in client.get(page).content.decode()
    assert DeskPreferences.objects.count() == 1


@pytest.mark.parametrize(("who", "answer"), [("anonymous", 302), ("nobody", 403)])
def test_who_has_no_business_has_no_inbox(businesses: TwoBusinesses, who: str, answer: int) -> None:
    client = Client() if who == "anonymous" else businesses.browser(who)
    assert client.get(LIST).status_code == answer
    assert client.get(f"{LIST}live/").status_code == answer
    for button in ("mark-handled", "preferences"):
        assert client.post(f"{LIST}{button}/", {"enter_sends": "on"}).status_code == answer
    assert not DeskPreferences.objects.exists()


@pytest.mark.parametrize("query", ["tab=unknown", "p=x", "p=99999", "is_active__exact=2"])
def test_an_unknown_filter_never_fails(businesses: TwoBusinesses, three: dict[str, Conversation], query: str) -> None:
    response = businesses.browser("operator").get(f"{LIST}?{query}", follow=True)
    assert response.status_code == 200


def test_the_details_have_a_form_of_their_own(businesses: TwoBusinesses, three: dict[str, Conversation]) -> None:
    client = businesses.browser("operator")
    page = f"{LIST}{three['Ann'].pk}/change/"
    assert 'name="contact_name"' not in client.get(page).content.decode()
    assert 'name="contact_name"' in client.get(f"{page}?details=1").content.decode()
    client.post(f"{page}?details=1", {"contact_name": "Anna", "is_active": "on"})
    assert Conversation.objects.get(pk=three["Ann"].pk).contact_name == "Anna"


def test_only_what_waits_for_a_person_counts_as_unread(three: dict[str, Conversation]) -> None:
    for talk in three.values():
        for text in ("Hello", "Anyone?"):
            message(talk, text)
    assert {str(row.conversation): row.unread for row in list_rows.rows_for(list(three.values()))} == {
        "Ann": 2,
        "Bo": 2,
        "Cy": 0,
    }
