"""The flag *needs a person* goes away with its reason."""

import pytest

from conversations import handover
from conversations.choices import HandoverReason
from conversations.models import Conversation, Status
from conversations.outbox.recording import Attempt, record
from conversations.replies import reply
from conversations.tests.rows import conversation, message, owner
from tenants.tests.people import TwoBusinesses

pytestmark = pytest.mark.django_db


@pytest.fixture
def flagged(businesses: TwoBusinesses) -> Conversation:
    found = conversation(businesses.ours)
    handover.mark_needs_person([found.pk], "The customer asked for a person.")
    return found


def flag_of(of: Conversation) -> str:
    of.refresh_from_db()
    assert bool(of.needs_person) == bool(of.needs_person_since)
    return of.needs_person


def test_a_reply_from_the_team_clears_it(businesses: TwoBusinesses, flagged: Conversation) -> None:
    handover.take_over(flagged.pk, businesses.people["operator"])
    assert flag_of(flagged)  # nobody has answered yet
    reply(flagged.pk, businesses.people["operator"], "I am here.")
    assert flag_of(flagged) == ""


def test_handing_back_clears_it(businesses: TwoBusinesses, flagged: Conversation) -> None:
    handover.take_over(flagged.pk, businesses.people["operator"])
    handover.hand_back(flagged.pk)
    assert flag_of(flagged) == ""


def sent(of: Conversation) -> None:
    """The worker has sent the conversation's oldest unsent message."""
    unsent = of.messages.filter(status=Status.QUEUED).order_by("pk")[0]
    of.messages.filter(pk=unsent.pk).update(status=Status.SENDING)
    record([Attempt(unsent.pk, owner(of).pk, f"wamid.{unsent.pk}")])


def test_it_stays_until_the_last_waiting_reply_has_been_sent(flagged: Conversation) -> None:
    for text in ("One", "Two"):
        message(flagged, text, "assistant", status=Status.QUEUED, tenant=flagged.tenant)
    handover.mark_needs_person([flagged.pk], f"{handover.WAITING}the token has expired.")
    sent(flagged)
    assert flag_of(flagged)
    sent(flagged)
    assert flag_of(flagged) == ""


def test_a_sent_reply_of_the_assistant_leaves_other_reasons(flagged: Conversation) -> None:
    message(flagged, "Hello", "assistant", status=Status.QUEUED, tenant=flagged.tenant)
    sent(flagged)
    assert flag_of(flagged) == "The customer asked for a person."


@pytest.mark.parametrize(
    ("reason", "left"), [("A reply was not sent: refused.", ""), ("The customer is angry.", "The customer is angry.")]
)
def test_sending_again_clears_a_reason_about_a_reply(
    businesses: TwoBusinesses, flagged: Conversation, reason: str, left: str
) -> None:
    failed = message(flagged, "Hello", "assistant", status=Status.FAILED)
    handover.mark_needs_person([flagged.pk], reason)
    assert handover.send_again(failed.pk, businesses.people["operator"])
    assert flag_of(flagged) == left


def test_a_request_for_a_person_outlives_other_reasons(businesses: TwoBusinesses) -> None:
    asked = conversation(businesses.ours)
    handover.mark_needs_person([asked.pk], HandoverReason.ASKED, "Wants a refund.")
    asked.refresh_from_db()
    since = asked.needs_person_since
    message(asked, "One moment", "assistant", status=Status.QUEUED, tenant=asked.tenant)
    handover.mark_needs_person([asked.pk], f"{handover.WAITING}the token has expired.")
    assert flag_of(asked) == f"{handover.WAITING}the token has expired."
    sent(asked)
    assert flag_of(asked) == "Asked for a person"
    assert (asked.needs_person_since, asked.handover_summary) == (since, "Wants a refund.")
    handover.clear_needs_person([asked.pk])
    assert flag_of(asked) == ""
    assert asked.handover_summary == ""
