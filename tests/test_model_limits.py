"""The installation limits what its businesses use of the model. Owners can't exceed it, however they set it."""

from typing import Any

import pytest

from api.tests.clients import api_client
from assistant.models import Assistant, DailyUsage
from conversations.desk import extensions
from conversations.models import Conversation, ConversationMessage
from conversations.tests.rows import conversation, message
from tenants.models import Tenant
from tenants.tests.people import TwoBusinesses
from tests.stage import Stage
from whatsapp.tests.factories import inbound, text_message

BEYOND = [("model", "gpt-huge"), ("max_output_tokens", 2_000_000_000), ("daily_token_limit", 10_001)]
WITHIN = {"model": "gpt-small", "max_output_tokens": 500, "daily_token_limit": 10_000}


@pytest.fixture(autouse=True)
def _limited(settings: Any) -> None:
    settings.OPENAI_MODEL, settings.MODELS = "gpt-default", ["gpt-small"]
    settings.MODEL_MAX_OUTPUT_TOKENS, settings.BUSINESS_DAILY_TOKENS = 500, 10_000


@pytest.mark.parametrize(("name", "value"), [*BEYOND, ("instructions", "x" * 20_001)])
def test_an_owner_cannot_choose_more(businesses: TwoBusinesses, name: str, value: object) -> None:
    assistant = Assistant.objects.create(tenant=businesses.ours, **WITHIN)
    key = api_client(businesses.ours, businesses.people["owner"])
    refused = key.patch("assistant", {name: value})
    assert (refused.status_code, list(refused.json())) == (400, [name])
    form = {"tenant": businesses.ours.pk, "instructions": "x", "history_limit": 20, **WITHIN, name: value}
    shown = businesses.browser("owner").post(f"/admin/assistant/assistant/{assistant.pk}/change/", form)
    assert name in shown.context["adminform"].form.errors
    assistant.refresh_from_db()
    assert {each: getattr(assistant, each) for each in WITHIN} == WITHIN


@pytest.mark.parametrize("value", ["gpt-default", "gpt-small", ""])
def test_an_owner_can_choose_any_model_that_is_offered(businesses: TwoBusinesses, value: str) -> None:
    key = api_client(businesses.ours, businesses.people["owner"])
    assert key.patch("assistant", {"model": value}).status_code == 200


def test_what_was_chosen_before_the_limits_is_not_used(stage: Stage) -> None:
    Assistant.objects.create(tenant=Tenant.objects.single(), **dict(BEYOND))
    stage.converse(inbound())
    body = stage.wire.asked[0]
    assert (body["model"], body["max_completion_tokens"]) == ("gpt-default", 500)
    DailyUsage.objects.update(tokens=10_000)
    stage.converse(inbound(text_message("More?")))
    assert len(stage.wire.asked) == 1
    assert Conversation.objects.get().needs_person == "The assistant didn't reply. The daily token limit is used up."


def test_a_customer_gets_a_limited_number_of_replies_an_hour(stage: Stage, settings: Any) -> None:
    settings.CUSTOMER_REPLIES_PER_HOUR = 2
    for number in range(4):
        stage.converse(inbound(text_message(f"{number}")))
    assert stage.wire.texts == ["Answer to 0", "Answer to 1"]
    assert "too many replies" in Conversation.objects.get().needs_person
    stage.converse(inbound(text_message("Hello", sender="79005555555")))
    assert stage.wire.texts[2:] == ["Answer to Hello"]


def test_the_model_reads_the_first_10_000_characters_of_a_message(stage: Stage) -> None:
    stage.converse(inbound(text_message("x" * 10_000 + "y" * 1234)))
    assert stage.wire.asked[0]["messages"][-1]["content"] == "x" * 10_000 + "…\n(Cut off here: 1,234 more characters.)"
    stored = ConversationMessage.objects.get(role="user")
    assert stored.text.endswith("y")
    assert "first 10,000 characters" in extensions.message_info_for([stored])[stored.pk].details


@pytest.mark.django_db
def test_the_desk_says_nothing_about_a_message_of_usual_length() -> None:
    short = message(conversation(None), "x" * 10_000)
    assert extensions.message_info_for([short]) == {}
