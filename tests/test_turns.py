"""The life of a turn, from the webhook on: bursts, taps, newer messages, takeovers, and reasons for silence."""

import datetime as dt
from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.db.models import F
from django.utils import timezone

from assistant.models import Assistant, Turn
from assistant.turns import claiming
from conversations import handover
from conversations.models import Conversation, ConversationMessage
from conversations.outbox.pauses import Pause
from runtime.dispatching import Shares
from tenants.models import Tenant
from tests.stage import Json, Stage, completion, newest
from whatsapp.tests.factories import inbound, message, text_message

EVERYTHING = Shares(limit=100, by_tenant={}, anyone_else=100)


def while_thinking(stage: Stage, *happenings: Any) -> None:
    """The first of these happens during the first model call, the second during the second, …"""
    left = list(happenings)

    def think(body: Json) -> httpx2.Response:
        if left:
            left.pop(0)()
        return completion(f"Answer to {newest(body)}")

    stage.wire.model = think


def outcomes() -> list[str]:
    return list(Turn.objects.order_by("id").values_list("outcome", flat=True))


def test_a_turn_waits_until_the_customer_was_quiet(stage: Stage, settings: Any) -> None:
    settings.TURN_QUIET_SECONDS = 30
    settings.TURN_MAX_WAIT_SECONDS = 40
    stage.converse(inbound(text_message("Hello")))
    first = Turn.objects.get()
    assert stage.wire.asked == []
    assert 25 < (first.due_at - timezone.now()).total_seconds() <= 30
    Turn.objects.update(latest_due_at=F("opened_at") + dt.timedelta(seconds=20))
    stage.converse(inbound(text_message("and another thing")))
    again = Turn.objects.get()
    assert again.due_at == again.latest_due_at, "it never waits past the longest wait"


def test_a_tap_on_a_button_is_answered_at_once(stage: Stage, settings: Any) -> None:
    settings.TURN_QUIET_SECONDS = 30
    stage.converse(inbound(text_message("Hello")))
    tap = {"type": "button_reply", "button_reply": {"id": "yes", "title": "Yes"}}
    stage.converse(inbound(message("interactive", tap)))
    assert stage.wire.texts == ["Answer to Yes"]


def test_two_workers_claim_a_turn_once(stage: Stage) -> None:
    stage.post(inbound(text_message("Hello")))
    assert [len(claiming.claim(EVERYTHING).rows) for _ in range(2)] == [1, 0]


def test_a_newer_message_makes_one_joint_reply(stage: Stage) -> None:
    while_thinking(stage, lambda: stage.post(inbound(text_message("No, goodbye"))))
    stage.converse(inbound(text_message("Hello")))
    assert stage.wire.texts == ["Answer to No, goodbye"]
    turn = Turn.objects.get()
    assert (turn.superseded, turn.prompt_tokens) == (1, 40)


def test_a_draft_is_dropped_at_most_twice_then_it_goes_out_and_a_new_turn_opens(stage: Stage, settings: Any) -> None:
    settings.TURN_MAX_WAIT_SECONDS = 60
    more = [lambda text=text: stage.post(inbound(text_message(text))) for text in ("2", "3", "4")]
    while_thinking(stage, *more)
    stage.converse(inbound(text_message("1")))
    assert stage.wire.texts == ["Answer to 3", "Answer to 4"]
    first, second = Turn.objects.order_by("id")
    assert first.superseded == 2
    assert [m.text for m in ConversationMessage.objects.filter(pk__in=[second.first_message_id])] == ["4"]


def test_past_the_longest_wait_a_draft_is_dropped_only_once(stage: Stage, settings: Any) -> None:
    settings.TURN_MAX_WAIT_SECONDS = 0
    more = [lambda text=text: stage.post(inbound(text_message(text))) for text in ("2", "3")]
    while_thinking(stage, *more)
    stage.converse(inbound(text_message("1")))
    assert stage.wire.texts == ["Answer to 2", "Answer to 3"]


def test_a_person_who_takes_over_while_the_model_thinks_is_the_only_one_to_speak(stage: Stage) -> None:
    while_thinking(stage, lambda: handover.take_over(Conversation.objects.get().pk, None))
    stage.converse(inbound(text_message("Hello")))
    assert stage.wire.sent == []
    assert outcomes() == ["taken over"]


def test_a_worker_whose_lease_was_given_to_another_writes_nothing(stage: Stage, caplog: Any) -> None:
    def another_worker_takes_the_turn() -> None:
        Turn.objects.update(generation=F("generation") + 1)

    while_thinking(stage, another_worker_takes_the_turn)
    stage.converse(inbound(text_message("Hello")))
    assert stage.wire.sent == []
    assert "fenced" in caplog.text
    assert Turn.objects.get().state == "generating"


def silent(conversation: Conversation, why: str) -> None:
    changes: dict[str, dict[str, object]] = {
        "taken over": {"handled_by": "operator"},
        "conversation inactive": {"is_active": False},
        "window closed": {"last_inbound_at": timezone.now() - dt.timedelta(hours=23, minutes=59)},
    }
    Conversation.objects.filter(pk=conversation.pk).update(**changes[why])


@pytest.mark.parametrize("why", ["taken over", "conversation inactive", "window closed"])
@pytest.mark.parametrize("when", ["before the claim", "while the model thinks"])
def test_it_is_silent_and_the_turn_says_why(stage: Stage, why: str, when: str) -> None:
    if when == "while the model thinks":
        while_thinking(stage, lambda: silent(Conversation.objects.get(), why))
    stage.post(inbound(text_message("Hello")))
    if when == "before the claim":
        silent(Conversation.objects.get(), why)
    stage.work()
    assert stage.wire.sent == []
    assert (Turn.objects.get().state, outcomes()) == ("suppressed", [why])
    assert bool(Conversation.objects.get().needs_person) == (why == "window closed")


def test_the_model_is_not_asked_when_the_daily_tokens_are_used_up(stage: Stage) -> None:
    Assistant.objects.create(tenant=Tenant.objects.single(), daily_token_limit=25)
    stage.converse(inbound(text_message("one")))
    stage.converse(inbound(text_message("two")))
    stage.converse(inbound(text_message("three")))
    assert stage.wire.texts == ["Answer to one", Assistant().fallback_text], "told once"
    assert outcomes() == ["replied", "out of budget", "out of budget"]
    assert "daily token limit" in Conversation.objects.get().needs_person


def refuse(status: int, code: str) -> Any:
    error = {"error": {"message": "no", "code": code, "type": code}}
    return lambda body: httpx2.Response(status, json=error)


def test_a_model_error_is_a_warning_a_fallback_and_a_reason(stage: Stage, caplog: Any) -> None:
    stage.wire.model = refuse(500, "server_error")
    stage.converse(inbound(text_message("Hello")))
    turn = Turn.objects.get()
    assert (turn.state, turn.outcome) == ("failed", "fallback")
    assert "500" in turn.error
    assert stage.wire.texts == [Assistant().fallback_text]
    assert any(record.levelname == "WARNING" for record in caplog.records)
    assert ConversationMessage.objects.filter(role="user", text="Hello").exists()
    assert Conversation.objects.get().needs_person


def test_the_fallback_is_sent_once_per_outage(stage: Stage) -> None:
    fallback = Assistant().fallback_text
    stage.wire.model = refuse(500, "server_error")
    for text in ("one", "two"):
        stage.converse(inbound(text_message(text)))
    assert stage.wire.texts == [fallback]
    assert outcomes() == ["fallback", "silent"]
    stage.wire.model = lambda body: completion("Here again")
    stage.converse(inbound(text_message("three")))
    stage.wire.model = refuse(500, "server_error")
    stage.converse(inbound(text_message("four")))
    assert stage.wire.texts == [fallback, "Here again", fallback]


def test_an_empty_fallback_is_silence(stage: Stage) -> None:
    Assistant.objects.create(tenant=Tenant.objects.single(), fallback_text="")
    stage.wire.model = refuse(500, "server_error")
    stage.converse(inbound(text_message("Hello")))
    assert stage.wire.sent == []
    assert outcomes() == ["silent"]


def test_a_rejected_key_stops_calls_until_it_changes(stage: Stage, settings: Any) -> None:
    settings.RETRY_TIME_SCALE = 1
    stage.wire.model = refuse(401, "invalid_api_key")
    stage.converse(inbound(text_message("one")))
    stage.converse(inbound(text_message("two")))
    assert len(stage.wire.asked) == 1
    assert Pause.objects.count() == 1
    settings.OPENAI_API_KEY = "a-new-key"
    stage.wire.model = lambda body: completion("Here again")
    stage.converse(inbound(text_message("three")))
    assert stage.wire.texts[-1] == "Here again"


def lose_the_lease() -> None:
    Turn.objects.update(lease_until=timezone.now() - dt.timedelta(seconds=1))


def test_a_turn_that_kills_its_workers_is_given_up(stage: Stage) -> None:
    stage.post(inbound(text_message("Hello")))
    for _ in range(claiming.MAX_LOST_LEASES):
        assert claiming.claim(EVERYTHING).rows
        lose_the_lease()
        if Turn.objects.get().lost_leases < claiming.MAX_LOST_LEASES - 1:
            recovered = claiming.claim(EVERYTHING)
            assert (recovered.rows, recovered.more) == ([], True)
    stage.work()
    turn = Turn.objects.get()
    assert (turn.state, turn.outcome, turn.lost_leases) == ("failed", "fallback", claiming.MAX_LOST_LEASES)
    assert stage.wire.texts == [Assistant().fallback_text]
    assert "5 workers stopped" in Conversation.objects.get().needs_person


def test_after_a_lost_worker_there_is_one_reply(stage: Stage) -> None:
    stage.post(inbound(text_message("Hello")))
    claiming.claim(EVERYTHING)
    lose_the_lease()
    stage.work()
    assert stage.wire.texts == ["Answer to Hello"]


def test_a_stopping_worker_gives_its_turns_back(stage: Stage) -> None:
    stage.post(inbound(text_message("Hello")))
    claimed = claiming.claim(EVERYTHING).rows
    claiming.release(claimed)
    turn = Turn.objects.get()
    assert (turn.state, turn.lease_until, turn.lost_leases) == ("collecting", None, 0)
    stage.work()
    assert stage.wire.texts == ["Answer to Hello"]


@pytest.fixture
def refused_texts(stage: Stage) -> Iterator[Callable[[str], None]]:
    """Make PostgreSQL refuse messages that contain a word."""

    def execute(statement: str) -> None:
        with connection.cursor() as cursor:
            cursor.execute(statement)

    yield lambda word: execute(
        f"ALTER TABLE conversation_messages ADD CONSTRAINT refused CHECK (text NOT LIKE '%{word}%')"
    )
    execute("ALTER TABLE conversation_messages DROP CONSTRAINT refused")


def test_a_reply_that_cannot_be_stored_fails_at_once_with_the_reason(
    stage: Stage, refused_texts: Callable[[str], None]
) -> None:
    refused_texts("unstorable")
    stage.wire.model = lambda body: completion("An unstorable reply")
    stage.converse(inbound(text_message("Hello")))
    turn = Turn.objects.get()
    assert (turn.state, turn.outcome, turn.lost_leases) == ("failed", "fallback", 0)
    assert "The reply couldn't be stored: IntegrityError" in turn.error
    assert stage.wire.texts == [Assistant().fallback_text]
    assert "couldn't be stored" in Conversation.objects.get().needs_person


def test_a_reply_that_cannot_be_stored_leaves_the_others_of_its_batch_alone(
    stage: Stage, refused_texts: Callable[[str], None]
) -> None:
    refused_texts("unstorable")
    stage.wire.model = lambda body: completion(
        "An unstorable reply" if body["messages"][-1]["content"] == "bad" else "Fine"
    )
    for number, text in enumerate(("one", "bad", "two", "three")):
        stage.post(inbound(text_message(text, sender=f"49{number}")))
    stage.work()
    assert sorted(stage.wire.texts) == ["Fine", "Fine", "Fine", Assistant().fallback_text]


def test_a_fallback_text_that_cannot_be_stored_still_flags_the_conversation(
    stage: Stage, refused_texts: Callable[[str], None]
) -> None:
    refused_texts("r")  # neither the reply nor the fallback text
    stage.wire.model = lambda body: completion("A reply")
    stage.converse(inbound(text_message("Hello")))
    turn = Turn.objects.get()
    assert (turn.state, turn.outcome, turn.lost_leases) == ("failed", "silent", 0)
    assert stage.wire.texts == []
    assert "couldn't be stored" in Conversation.objects.get().needs_person


def test_a_person_can_hand_back(stage: Stage) -> None:
    person = User.objects.create(username="bo")
    stage.converse(inbound(text_message("one")))
    conversation = Conversation.objects.get()
    handover.take_over(conversation.pk, person)
    stage.converse(inbound(text_message("two")))
    handover.hand_back(conversation.pk)
    stage.converse(inbound(text_message("three")))
    assert stage.wire.texts == ["Answer to one", "Answer to three"]
