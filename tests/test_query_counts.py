"""How often each step of a message waits for the database. Only change a number here on purpose.

Counts, not times: `make bench` measures times. They come from libpq's own trace, since Django doesn't see all.
"""

import functools
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from assistant.model.errors import Completion
from assistant.model.retries import Outcome
from assistant.models import Turn
from assistant.turns import claiming
from assistant.turns.closing import FinishedTurn, complete_turns
from assistant.turns.loading import ClaimedTurn
from conversations.history.messages import add_conversation_message, get_last_messages
from conversations.models import Conversation, ConversationMessage
from conversations.outbox import claiming as outbox_claiming
from conversations.outbox import recording
from conversations.outbox.claiming import Unsendable
from conversations.outbox.recording import Attempt
from conversations.outbox.senders import Outbound
from conversations.tests.rows import conversation, many_messages
from runtime.dispatching import Claimed, Shares
from tenants.tests.people import TwoBusinesses
from tests.round_trips import round_trips
from tests.stage import Stage
from whatsapp.graph import access
from whatsapp.tests import factories
from whatsapp.tests.factories import Json, change, inbound, status, text_message

# A delivery: its tenant, its accounts, BEGIN, lock_timeout, conversations (lock, save), messages, COMMIT. Turns and a
# notification add one each.
DUPLICATE, STORED, NOTIFIED, STATUS, ADD = 8, 9, 10, 9, 4
# A batch of replies; PAGES: the desk's list and a transcript.
CLAIM, CLOSE, CLAIM_MESSAGES, ACCESS, RECORD, PAGES = 2, 6, 1, 2, 3, (14, 23)
EVERYTHING = Shares(limit=100, by_tenant={}, anyone_else=100)
COMPLETION = Completion("Yes.", "m", 20, 0, 5, False, 0.1)
ANSWERED = Outcome(COMPLETION, None, None, 0.1, False)


def posted(stage: Stage, body: Json) -> int:
    def post() -> None:
        assert stage.post(body).json() == {"ok": True}

    return round_trips(post)


def prepared(stage: Stage) -> None:
    """Each statement was run once on this connection: the first time costs one more."""
    stage.converse(inbound(text_message("Hello")))
    sent = ConversationMessage.objects.get(role="assistant")
    assert posted(stage, factories.delivery(change(statuses=[status("delivered", wamid=sent.external_id)])))
    Turn.objects.all().delete()


def test_a_delivery_costs_a_fixed_number(stage: Stage, settings: Any) -> None:
    prepared(stage)
    assert posted(stage, inbound(text_message("due at once"))) == NOTIFIED
    settings.TURN_QUIET_SECONDS = 3
    Turn.objects.all().delete()
    assert posted(stage, inbound(text_message("due later"))) == STORED
    assert posted(stage, inbound(text_message("one more of the burst"))) == STORED


def test_a_delivery_of_many_costs_as_much_as_one(stage: Stage, settings: Any) -> None:
    prepared(stage)
    settings.TURN_QUIET_SECONDS = 3
    assert posted(stage, inbound(*(text_message(f"message {n}") for n in range(50)))) == STORED


def test_a_duplicate_costs_no_more(stage: Stage) -> None:
    prepared(stage)
    body = inbound(text_message("twice", id="wamid.twice"))
    stage.post(body)
    assert posted(stage, body) == DUPLICATE


def test_many_statuses_cost_as_few_as_one(stage: Stage) -> None:
    prepared(stage)
    stage.converse(inbound(text_message("Hello")))
    wamid = ConversationMessage.objects.filter(role="assistant").latest("id").external_id
    assert posted(stage, factories.delivery(change(statuses=[status("delivered", wamid=wamid)]))) == STATUS
    assert posted(stage, factories.delivery(change(statuses=[status("read", wamid=wamid)] * 100))) == STATUS


@pytest.mark.parametrize("batch", [1, 40])
def test_a_batch_of_replies_costs_the_same_whatever_its_size(stage: Stage, settings: Any, batch: int) -> None:
    for number in range(batch):
        stage.post(inbound(text_message("Hello", sender=f"49151{number:04}")))
        many_messages(Conversation.objects.latest("pk"), 30)
    claims: list[Claimed[ClaimedTurn]] = []
    assert round_trips(lambda: claims.append(claiming.claim(EVERYTHING))) == CLAIM
    finished = [FinishedTurn(turn, ANSWERED) for turn in claims[0].rows]
    assert len(finished) == batch
    assert round_trips(functools.partial(complete_turns, finished)) == CLOSE
    assert set(Turn.objects.values_list("state", flat=True)) == {"replied"}

    out: list[Claimed[Outbound | Unsendable]] = []
    assert round_trips(lambda: out.append(outbox_claiming.claim(EVERYTHING))) == CLAIM_MESSAGES
    messages = [message for message in out[0].rows if isinstance(message, Outbound)]
    settings.MULTITENANT_ENABLED = True  # where the accounts are read, too
    assert round_trips(lambda: access.sending_access([each.phone_number_id for each in messages])) == ACCESS
    sent = [Attempt(each.message_id, each.tenant_id, f"wamid.{each.message_id}") for each in messages]
    assert round_trips(lambda: recording.record(sent)) == RECORD
    assert set(ConversationMessage.objects.exclude(status="").values_list("status", flat=True)) == {"sent"}
    # The typing indicator needs the access, too. A transaction begins and ends with a round trip of its own.
    assert CLAIM + (CLOSE - 2) + ACCESS + CLAIM_MESSAGES + ACCESS + (RECORD - 2) <= 12


@pytest.mark.django_db
def test_loading_the_history_costs_one() -> None:
    talk = conversation(None)
    for length in (5, 500):
        many_messages(talk, length)
        assert round_trips(lambda: get_last_messages(talk.pk)) == 1


@pytest.mark.django_db(transaction=True)
def test_adding_a_message_costs_four() -> None:
    talk = conversation(None)
    assert round_trips(lambda: add_conversation_message(talk.pk, "user", "Hello")) == ADD


def pages(client: Client, address: str) -> int:
    def get() -> None:
        assert client.get(address).status_code == 200

    get()  # content types are looked up once a process
    return round_trips(get)


@pytest.mark.django_db(transaction=True)
def test_the_list_and_the_transcript_cost_the_same_at_any_length() -> None:
    businesses = TwoBusinesses()
    client = businesses.browser("operator")
    the_list = reverse("admin:conversations_conversation_changelist")
    talk = conversation(businesses.ours, "491")
    transcript = reverse("admin:conversations_conversation_change", args=[talk.pk])
    many_messages(talk, 3)
    assert (pages(client, the_list), pages(client, transcript)) == PAGES
    many_messages(talk, 1000)
    for n in range(40):
        many_messages(conversation(businesses.ours, f"492{n}"), 3)
    assert (pages(client, the_list), pages(client, transcript)) == PAGES
