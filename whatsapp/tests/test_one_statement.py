"""The short way and the steps store the same: every scenario goes both ways, and the rows are compared."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from assistant.models import Assistant, Turn
from conversations.models import Conversation, ConversationMessage
from leads.models import Lead
from tenants.models import Tenant
from tests.stage import Stage
from whatsapp.models import WhatsAppAccount
from whatsapp.tests.factories import PHONE_NUMBER_ID, USER_ID, contact, inbound, message, text_message
from whatsapp.webhook import fast_ingest
from whatsapp.webhook import ingest as steps
from whatsapp.webhook.parsing import parse

OTHER = "79005550000"
Scenario = Callable[[Stage], None]


def post(*messages: Any, **kwargs: Any) -> Scenario:
    body = inbound(*messages, **kwargs)  # made once: both ways get the same wamids and times

    def go(stage: Stage) -> None:
        assert stage.post(body).json() == {"ok": True}

    return go


def change_rows(model: Any, **values: Any) -> Scenario:
    return lambda stage: model.objects.update(**values) and None


def in_turn(*parts: Scenario) -> Scenario:
    def go(stage: Stage) -> None:
        for part in parts:
            part(stage)

    return go


TAP = {"type": "button_reply", "button_reply": {"id": "yes", "title": "Yes"}}
TWICE = post(text_message("once", id="wamid.twice"))
SCENARIOS: dict[str, Scenario] = {
    "a first message": post(text_message("Hello")),
    "a second one": in_turn(post(text_message("Hello")), post(text_message("and more"))),
    "a duplicate": in_turn(TWICE, TWICE),
    "the same twice in one delivery": post(text_message("a", id="wamid.x"), text_message("a", id="wamid.x")),
    "several people": post(text_message("a"), text_message("b", sender=OTHER), text_message("c"), contacts=[]),
    "a new name": in_turn(post(text_message("a")), post(text_message("b"), contacts=[contact("Ann Smith")])),
    "a tap": in_turn(post(text_message("a")), post(message("interactive", TAP))),
    "a first tap": post(message("interactive", TAP)),
    "an advertisement": post(text_message("a", referral={"source_type": "ad", "source_id": "7"})),
    "a quotation": post(text_message("a", context={"id": "wamid.q"})),
    "number and user id": post(text_message("a", from_user_id=USER_ID), contacts=[contact(user_id=USER_ID)]),
    "an old message": in_turn(post(text_message("a")), post(text_message("b", timestamp="1700000000"))),
    "a silent kind": post(text_message("a"), message("interactive", {"type": "call_permission_reply"})),
    "a person has it": in_turn(
        post(text_message("a")),
        change_rows(Turn, state="replied"),
        change_rows(Conversation, handled_by="operator"),
        post(text_message("b")),
    ),
    "a turn is generating": in_turn(
        post(text_message("a")), change_rows(Turn, state="generating"), post(text_message("b"))
    ),
    "another tenant's conversation": in_turn(
        post(text_message("a")), lambda stage: _give_away(), post(text_message("b"))
    ),
    "settings of the tenant": in_turn(
        lambda stage: _slow_assistant(),
        post(text_message("a")),
    ),
}


def _slow_assistant() -> None:
    Assistant.objects.create(tenant=Tenant.objects.all()[0], quiet_seconds=40, max_wait_seconds=30)


def _give_away() -> None:
    other = Tenant.objects.create(name="Other", slug="other")
    Conversation.objects.update(tenant=other)


def rows() -> dict[str, list[Any]]:
    """All that was stored, without ids and the clock's times."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT task_name, count(*) FROM procrastinate_jobs GROUP BY 1")
        jobs = cursor.fetchall()
    return {
        "conversations": list(
            Conversation.objects.order_by("external_id").values_list(
                "tenant__name", "external_id", "contact_user_id", "contact_name", "last_inbound_at", "last_message_at"
            )
        ),
        "messages": list(
            ConversationMessage.objects.order_by("id").values_list(
                "conversation__external_id", "role", "origin", "text", "raw_json", "external_id", "kind", "sent_at",
                "reply_to", "status",
            )
        ),
        "leads": list(
            Lead.objects.order_by("conversation__external_id").values_list(
                "tenant__name", "conversation__external_id", "name", "phone", "source", "first_text", "referral"
            )
        ),
        "turns": [
            # Whole seconds: on a busy machine the steps' statements lie a few hundredths apart.
            (*row[:4], round((row[4] - row[6]).total_seconds()), round((row[5] - row[6]).total_seconds()))
            for row in Turn.objects.order_by("id").values_list(
                "conversation__external_id", "state", "first_message__text", "last_message__text", "latest_due_at",
                "due_at", "opened_at",
            )
        ],
        "jobs": jobs,
    }  # fmt: skip


def wipe() -> None:
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE tenants, conversations, procrastinate_jobs, quarantined_events CASCADE")


@pytest.mark.parametrize("multitenant", [False, True], ids=["one business", "tenants"])
@pytest.mark.parametrize("name", SCENARIOS)
def test_both_ways_store_the_same(
    stage: Stage, settings: Any, monkeypatch: pytest.MonkeyPatch, name: str, multitenant: bool
) -> None:
    settings.MULTITENANT_ENABLED = multitenant
    settings.TURN_QUIET_SECONDS, settings.TURN_MAX_WAIT_SECONDS = 3, 15
    found = []
    for short in (True, False):
        wipe()
        tenant = Tenant.objects.create(name="North", slug="north")
        WhatsAppAccount.objects.create(
            tenant=tenant, phone_number_id=PHONE_NUMBER_ID, last_delivery_at=timezone.now(), access_token="t"
        )
        with monkeypatch.context() as patch:
            if not short:
                patch.setattr(steps, "_stored_at_once", lambda *args: False)
            SCENARIOS[name](stage)
        found.append(rows())
    assert found[0] == found[1]
    assert found[0]["messages"]


def test_the_usual_delivery_takes_the_short_way(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steps, "_store", lambda *args: pytest.fail("it went step by step"))
    stage.post(inbound(text_message("Hello")))
    assert ConversationMessage.objects.get().text == "Hello"


@pytest.mark.parametrize(
    "unusual",
    [
        {"app_secret": "of another app"},
        {"is_active": False},
        {"last_delivery_at": None},
    ],
    ids=lambda unusual: next(iter(unusual)),
)
def test_an_account_that_is_not_in_the_usual_order_is_left_to_the_steps(
    stage: Stage, settings: Any, unusual: dict[str, Any]
) -> None:
    settings.MULTITENANT_ENABLED = True
    columns = {"last_delivery_at": timezone.now(), "phone_number_id": PHONE_NUMBER_ID, **unusual}
    WhatsAppAccount.objects.create(tenant=Tenant.objects.create(name="North", slug="north"), **columns)
    delivery = parse(inbound(text_message("Hello")))
    assert fast_ingest.store(delivery.messages, [timezone.now()]) is None
    assert not Conversation.objects.exists()


def test_a_lookup_is_no_scan_of_all_conversations(stage: Stage) -> None:
    rows = [Conversation(phone_number_id=PHONE_NUMBER_ID, external_id=str(n)) for n in range(3000)]
    Conversation.objects.bulk_create(rows)
    delivery = parse(inbound(text_message("Hello")))
    parameters: Any = fast_ingest._parameters(delivery.messages, [timezone.now()])
    statement = fast_ingest._STATEMENT
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", parameters)
        plan = str(cursor.fetchone()[0])
    assert "'Actual Rows': 3000" not in plan


def test_the_statement_is_planned_once_a_connection(stage: Stage) -> None:
    for _ in range(3):
        stage.post(inbound(text_message("Hello")))
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT sum(generic_plans + custom_plans) FROM pg_prepared_statements WHERE statement LIKE '%located AS%'"
        )
        assert cursor.fetchone()[0] == 3
