"""The assistant asks for a person, notes what customers say, and knows when the team is there."""

import datetime as dt
from typing import Any

import httpx2
import pytest
from django.utils import timezone

from assistant.models import Assistant, Turn, TurnStep
from conversations import handover
from conversations.choices import HandoverReason
from conversations.models import Conversation
from leads.models import Lead, LeadField
from runtime import crashpoints
from tenants.models import OpeningHours, Tenant
from tests.stage import Json, Stage, completion
from webhooks.models import EventType, WebhookEndpoint, WebhookEvent
from whatsapp.tests.factories import inbound, text_message

SUMMARY = "Wants a refund. The cake was late."
ASK = ("hand_over", {"reason": "complaint", "summary": SUMMARY})


def answering(stage: Stage, *answers: httpx2.Response) -> None:
    """The first answer for the first request, and so on; the last one for all others."""
    left = list(answers)
    stage.wire.model = lambda body: left.pop(0) if len(left) > 1 else left[0]


def assistant(**columns: Any) -> Assistant:
    return Assistant.objects.create(tenant=Tenant.objects.single(), api_key="k", **columns)


def talk() -> Conversation:
    return Conversation.objects.get()


def test_a_handover_is_flagged_with_its_reason_and_summary_when_the_reply_is_stored(stage: Stage) -> None:
    tenant = Tenant.objects.single()
    WebhookEndpoint.objects.create(
        tenant=tenant, url="https://example.org/", event_types=[EventType.NEEDS_PERSON], secret="whsec_x"
    )
    answering(stage, completion(None, ASK), completion("I've asked a colleague."))
    stage.converse(inbound(text_message("My cake was late!")))
    assert stage.wire.texts == ["I've asked a colleague."]
    assert (talk().needs_person, talk().handover_reason) == ("Complaint", HandoverReason.COMPLAINT)
    assert talk().handover_summary == SUMMARY
    payload = WebhookEvent.objects.get().payload
    assert (payload["reason"], payload["summary"]) == ("Complaint", SUMMARY)


def test_the_model_gets_the_result_of_its_call_and_may_promise_only_that(stage: Stage) -> None:
    answering(stage, completion(None, ASK), completion("I've asked a colleague."))
    stage.converse(inbound(text_message("My cake was late!")))
    called, result = stage.wire.asked[1]["messages"][-2:]
    assert called["tool_calls"][0]["function"]["name"] == "hand_over"
    assert result["role"] == "tool"
    assert "A member of the team will reply here." in result["content"]


def test_both_answers_are_paid_for(stage: Stage) -> None:
    answering(stage, completion(None, ASK), completion("I've asked a colleague."))
    stage.converse(inbound(text_message("My cake was late!")))
    turn = Turn.objects.get()
    assert (turn.prompt_tokens, turn.completion_tokens) == (40, 10)


def test_a_dropped_draft_hands_nothing_over(stage: Stage) -> None:
    """A newer message comes after the call; the second draft doesn't repeat it."""

    def think(body: Json) -> httpx2.Response:
        if len(stage.wire.asked) == 1:
            return completion(None, ASK)
        if len(stage.wire.asked) == 2:
            stage.post(inbound(text_message("It's fine, forget it")))
        return completion("Gladly.")

    stage.wire.model = think
    stage.converse(inbound(text_message("My cake was late!")))
    assert [turn.superseded for turn in Turn.objects.all()] == [1]
    assert talk().needs_person == ""


def test_a_worker_that_dies_after_a_call_is_followed_by_one_that_goes_on_from_it(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Died(Exception):
        pass

    def die(point: str) -> None:
        if point == "C25":
            raise Died

    answering(stage, completion(None, ASK), completion("I've asked a colleague."))
    with monkeypatch.context() as patched:
        patched.setattr(crashpoints, "reach", die)
        patched.setattr("assistant.turns.answering.Answering._close", _leave)
        stage.post(inbound(text_message("My cake was late!")))
        stage.work()
    assert TurnStep.objects.count() == 1
    Turn.objects.update(lease_until=timezone.now() - dt.timedelta(seconds=1))
    stage.work()
    assert len(stage.wire.asked) == 2, "the first answer isn't paid for twice"
    assert stage.wire.asked[1]["messages"][-1]["role"] == "tool"
    assert talk().handover_summary == SUMMARY


async def _leave(self: object, finished: object) -> None:
    """The process is dead: nothing is closed."""


def test_a_model_that_calls_on_and_on_must_answer_at_last(stage: Stage) -> None:
    def think(body: Json) -> httpx2.Response:
        return completion(None, ("hand_over", {"reason": "other"})) if body.get("tools") else completion("At last.")

    stage.wire.model = think
    stage.converse(inbound(text_message("Hello")))
    assert len(stage.wire.asked) == 7
    assert stage.wire.texts == ["At last."]


def test_a_model_without_tools_writes_a_line_that_the_customer_never_sees(stage: Stage) -> None:
    def think(body: Json) -> httpx2.Response:
        if body.get("tools"):
            return httpx2.Response(400, json={"error": {"message": "tools are not supported by this model"}})
        return completion('Someone will help you.\n{"tool": "hand_over", "reason": "sale", "summary": "Wants a cake."}')

    stage.wire.model = think
    stage.converse(inbound(text_message("I'll take the big cake")))
    assert "hand_over" in stage.wire.asked[-1]["messages"][0]["content"]
    assert stage.wire.texts == ["Someone will help you."]
    assert (talk().handover_reason, talk().handover_summary) == (HandoverReason.SALE, "Wants a cake.")


@pytest.mark.parametrize("words", ["I want to speak to a human", "Quiero hablar con una persona", "Позовите оператора"])
def test_a_customer_who_asks_for_a_person_is_flagged_whatever_the_model_does(stage: Stage, words: str) -> None:
    stage.converse(inbound(text_message(words)))
    assert (talk().needs_person, talk().handover_reason) == ("Asked for a person", HandoverReason.ASKED)
    assert talk().handled_by == "assistant"
    assert len(stage.wire.texts) == 1


def test_what_the_model_notes_is_stored_with_its_message_and_shown_to_it_next_time(stage: Stage) -> None:
    LeadField.objects.create(tenant=Tenant.objects.single(), name="guests", type="number", description="How many")
    answering(stage, completion(None, ("note_lead", {"guests": 12, "budget": 5})), completion("Noted!"))
    stage.converse(inbound(text_message("We'll be twelve")))
    lead = Lead.objects.get()
    assert lead.fields == {"guests": 12}
    assert lead.field_sources == {"guests": talk().messages.order_by("id")[0].pk}
    stage.converse(inbound(text_message("And a candle")))
    assert '"guests": 12' in stage.wire.situations[-1].replace("\\", "")


@pytest.mark.parametrize(("after", "answers"), [("carry_on", 2), ("silent", 1)])
def test_after_asking_for_a_person_the_assistant_does_what_the_business_chose(
    stage: Stage, after: str, answers: int
) -> None:
    assistant(after_handover=after)
    stage.converse(inbound(text_message("human please")))
    stage.converse(inbound(text_message("Are you there?")))
    assert len(stage.wire.texts) == answers
    assert talk().needs_person == "Asked for a person"


def test_a_silent_assistant_answers_again_once_the_matter_is_resolved(stage: Stage) -> None:
    assistant(after_handover="silent")
    stage.converse(inbound(text_message("human please")))
    handover.clear_needs_person([talk().pk])
    stage.converse(inbound(text_message("Another question")))
    assert len(stage.wire.texts) == 2


def test_the_first_reply_of_a_conversation_says_how_to_reach_a_person(stage: Stage) -> None:
    assistant(person_hint="Write “agent” at any time to reach a person.")
    answering(stage, completion("Hello!"))
    stage.converse(inbound(text_message("Hi")))
    stage.converse(inbound(text_message("What do you sell?")))
    assert stage.wire.texts == ["Hello!\n\nWrite “agent” at any time to reach a person.", "Hello!"]


def closed_now(**columns: Any) -> None:
    """Opening hours that begin in a few hours, whatever the time is."""
    opens = timezone.now() + dt.timedelta(hours=2)
    span = f"{opens:%H:%M}-{opens + dt.timedelta(minutes=1):%H:%M}"
    if span > "23:5":
        span = "00:00-00:01"
    days = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
    OpeningHours.objects.create(tenant=Tenant.objects.single(), **dict.fromkeys(days, span))
    assistant(**columns)


def test_outside_its_hours_the_customer_gets_the_away_message_once_and_a_person_is_asked_for(stage: Stage) -> None:
    closed_now(out_of_hours="silent", away_text="We're closed. Back tomorrow.")
    stage.converse(inbound(text_message("Hello?")))
    stage.converse(inbound(text_message("Anyone?")))
    assert stage.wire.texts == ["We're closed. Back tomorrow."]
    assert stage.wire.asked == []
    assert [turn.outcome for turn in Turn.objects.all()] == ["out of hours"] * 2
    assert "Outside opening hours" in talk().needs_person


def test_the_model_knows_the_time_and_the_opening_hours(stage: Stage) -> None:
    closed_now(out_of_hours="says")
    stage.converse(inbound(text_message("Hello")))
    assert "The business is closed and opens on" in stage.wire.situations[0]
    assert "Mention when it is back." in stage.wire.situations[0]
    assert f"{timezone.now():%A}" in stage.wire.situations[0]


def test_two_machines_stop_talking(stage: Stage) -> None:
    away = "Thanks for your message! We will get back to you as soon as we can."
    for _ in range(8):
        stage.converse(inbound(text_message(away)))
    assert len(stage.wire.asked) == 5
    assert stage.wire.texts[5:] == [Assistant().fallback_text]
    assert talk().handover_reason == HandoverReason.MACHINE
