"""What happens in conversations notifies the team, and how they react cancels it."""

from collections.abc import Callable

import pytest

from conversations import handover, notifying
from conversations.choices import HandoverReason
from conversations.models import Conversation
from conversations.replies import reply
from conversations.tests.open_page import LIST, OpenPage
from conversations.tests.rows import conversation, message
from notifications import telling
from notifications.models import NotificationDelivery, NotificationIncident
from notifications.tests.line import time_passes, told
from tenants.models import Membership
from tenants.tests.people import Role, TwoBusinesses

pytestmark = pytest.mark.django_db
OPERATOR, OWNER = "our-operator", "our-owner"


@pytest.fixture
def talk(businesses: TwoBusinesses) -> Conversation:
    return conversation(businesses.ours, contact_name="Ann Lee")


def kinds() -> set[str]:
    """Of the open incidents."""
    return set(NotificationIncident.objects.filter(closed_at=None).values_list("kind", flat=True))


def test_a_handover_tells_what_the_team_should_know(talk: Conversation) -> None:
    handover.mark_needs_person([talk.pk], HandoverReason.COMPLAINT, "The cake was stale. She wants her money back.")
    incident = NotificationIncident.objects.get()
    assert (incident.kind, incident.title) == ("handover", "Ann Lee needs an agent")
    assert incident.text == "Complaint. The cake was stale. She wants her money back."
    assert incident.path == f"{LIST}{talk.pk}/change/"
    telling.tell_due()
    assert told() == [OPERATOR]


def test_one_conversation_flagged_twice_is_one_notification(talk: Conversation) -> None:
    for reason in ("First.", "Second."):
        handover.mark_needs_person([talk.pk], reason)
        telling.tell_due()
    assert told() == [OPERATOR]


def open_page(talk: Conversation, businesses: TwoBusinesses) -> None:
    businesses.browser("operator").get(f"{LIST}{talk.pk}/change/")


def open_by_script(talk: Conversation, businesses: TwoBusinesses) -> None:
    page = OpenPage(businesses.browser("operator"))
    page.client.get(f"{LIST}{talk.pk}/live/", headers={"If-None-Match": page.version})


def take_over(talk: Conversation, businesses: TwoBusinesses) -> None:
    handover.take_over(talk.pk, businesses.people["operator"])


def answer(talk: Conversation, businesses: TwoBusinesses) -> None:
    reply(talk.pk, businesses.people["operator"], "I am here.")


def clear(talk: Conversation, businesses: TwoBusinesses) -> None:
    handover.clear_needs_person([talk.pk])


def hand_back(talk: Conversation, businesses: TwoBusinesses) -> None:
    Conversation.objects.filter(pk=talk.pk).update(handled_by="operator")
    handover.hand_back(talk.pk)


Reaction = Callable[[Conversation, TwoBusinesses], None]


@pytest.mark.parametrize("react", [open_page, open_by_script, take_over, answer, clear, hand_back])
def test_a_reaction_stops_the_escalation(talk: Conversation, businesses: TwoBusinesses, react: Reaction) -> None:
    handover.mark_needs_person([talk.pk], HandoverReason.ASKED)
    telling.tell_due()
    react(talk, businesses)
    time_passes()
    assert told() == [OPERATOR]
    assert kinds() == set()


def test_looking_at_the_list_or_reading_without_the_role_is_no_reaction(
    talk: Conversation, businesses: TwoBusinesses
) -> None:
    handover.mark_needs_person([talk.pk], HandoverReason.ASKED)
    businesses.browser("operator").get(LIST)
    businesses.browser("viewer").get(f"{LIST}{talk.pk}/change/")
    assert kinds() == {"handover"}


def test_an_open_page_that_nobody_looks_at_is_no_reaction(talk: Conversation, businesses: TwoBusinesses) -> None:
    page = OpenPage(businesses.browser("operator"), talk)
    handover.mark_needs_person([talk.pk], HandoverReason.ASKED)
    assert "desk-head" in page.poll()
    assert kinds() == {"handover"}


@pytest.mark.parametrize(
    ("react", "left"),
    [
        (open_page, {"unanswered"}),
        (open_by_script, {"unanswered"}),
        (clear, {"unanswered", "message"}),
        (answer, set()),
        (hand_back, set()),
    ],
)
def test_a_customer_is_unanswered_until_someone_answers(
    talk: Conversation, businesses: TwoBusinesses, react: Reaction, left: set[str]
) -> None:
    handover.take_over(talk.pk, businesses.people["operator"])
    message(talk, "Hello?")
    notifying.customer_wrote([talk.pk])
    assert kinds() == {"unanswered", "message"}
    react(talk, businesses)
    assert kinds() == left


def test_a_message_on_the_screen_of_whoever_looks_at_it_is_seen(talk: Conversation, businesses: TwoBusinesses) -> None:
    handover.take_over(talk.pk, businesses.people["operator"])
    page = OpenPage(businesses.browser("operator"), talk)
    message(talk, "Hello?")
    notifying.customer_wrote([talk.pk])
    page.poll()  # in a window that isn't in front
    assert kinds() == {"unanswered", "message"}
    message(talk, "Are you there?")
    page.client.get(page.live, headers={"If-None-Match": page.version, "X-Focused": "1"})
    assert kinds() == {"unanswered"}


# --- what bypasses all that ---


def test_what_is_over_is_closed_however_it_ended(talk: Conversation) -> None:
    handover.mark_needs_person([talk.pk], "Angry")
    notifying.customer_wrote([talk.pk])
    Conversation.objects.filter(pk=talk.pk).update(handled_by="operator")
    assert notifying.close_over() == 0
    Conversation.objects.filter(pk=talk.pk).update(needs_person="")
    assert notifying.close_over() == 1
    assert kinds() == {"unanswered"}
    Conversation.objects.filter(pk=talk.pk).update(handled_by="assistant")
    assert notifying.close_over() == 1
    assert kinds() == set()


def test_what_is_about_a_conversation_that_is_gone_is_closed(talk: Conversation) -> None:
    handover.mark_needs_person([talk.pk], "Angry")
    Conversation.objects.filter(pk=talk.pk).delete()
    assert notifying.close_over() == 1
    assert kinds() == set()


@pytest.mark.parametrize("is_bulk", [True, False])
def test_the_log_forgets_a_conversation_that_is_deleted(
    talk: Conversation, businesses: TwoBusinesses, is_bulk: bool
) -> None:
    handover.mark_needs_person([talk.pk], "Angry")
    telling.tell_due()
    client = businesses.browser("owner" if not is_bulk else "superuser")
    if is_bulk:
        client.post(LIST, {"action": "delete_selected", "_selected_action": [talk.pk], "post": "yes"})
    else:
        client.post(f"{LIST}{talk.pk}/delete/", {"post": "yes"})
    assert not Conversation.objects.exists()
    assert not NotificationIncident.objects.exists()
    assert not NotificationDelivery.objects.exists()


# --- an open page ---


def test_an_open_page_gets_the_notifications_of_its_user(talk: Conversation, businesses: TwoBusinesses) -> None:
    pages = {who: OpenPage(businesses.browser(who)) for who in ("operator", "owner", "stranger")}
    assert pages["operator"].told == {"count": 0, "sound": True, "items": []}
    handover.mark_needs_person([talk.pk], HandoverReason.ASKED, "She has a question.")
    for page in pages.values():
        page.poll()
    telling.tell_due()
    for page in pages.values():
        page.poll()
    assert [page.told["count"] for page in pages.values()] == [1, 0, 0]
    (item,) = pages["operator"].told["items"]
    assert (item["title"], item["path"]) == ("Ann Lee needs an agent", f"{LIST}{talk.pk}/change/")
    assert NotificationDelivery.objects.get(channel="page").state == "sent"
    handover.clear_needs_person([talk.pk])
    pages["operator"].poll()
    assert pages["operator"].told["count"] == 0
    assert pages["operator"].poll() == {}


def test_who_has_left_a_business_no_longer_sees_its_notifications(
    talk: Conversation, businesses: TwoBusinesses
) -> None:
    handover.mark_needs_person([talk.pk], "Angry")
    telling.tell_due()
    member = businesses.people["operator"]
    Membership.objects.filter(user=member).delete()
    Membership.objects.create(user=member, tenant=businesses.theirs, role=Role.OPERATOR)
    page = OpenPage(businesses.browser("operator"))
    assert page.told["count"] == 0
    assert "Ann Lee" not in page.client.get("/admin/notifications/notificationdelivery/mine/").content.decode()
