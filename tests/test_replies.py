"""What a customer gets when the model's answer is more than a plain reply."""

from typing import Any

import httpx2
import pytest
from django.test import Client

from assistant.models import DEFAULT_FALLBACK, Assistant, Turn
from conversations.models import Conversation, ConversationMessage
from tenants.models import Tenant
from tests.stage import Stage, completion
from whatsapp.tests.factories import inbound, text_message


def answer_in_turn(stage: Stage, *answers: str | httpx2.Response) -> None:
    left = list(answers)

    def answer(body: Any) -> httpx2.Response:
        given = left.pop(0) if len(left) > 1 else left[0]
        return completion(given) if isinstance(given, str) else given

    stage.wire.model = answer


def test_the_customer_gets_no_thought_and_whatsapps_formatting(stage: Stage) -> None:
    answer_in_turn(
        stage, "<think>No discount.</think>\n\n## Cakes\n\nWe have **three** kinds.<|im_end|>\n<|im_start|>user"
    )
    stage.converse(inbound(text_message("Which cakes?")))
    assert stage.wire.texts == ["*Cakes*\n\nWe have *three* kinds."]
    assert ConversationMessage.objects.get(role="assistant").text == stage.wire.texts[0]


@pytest.mark.parametrize(
    "nothing", ["<think>Only a thought.</think>", "<think>Cut", '{"name": "find", "arguments": {}}', "<|im_end|>"]
)
def test_an_answer_without_words_for_the_customer_is_asked_for_again(stage: Stage, nothing: str) -> None:
    answer_in_turn(stage, nothing, "We open at nine.")
    stage.converse(inbound(text_message("When do you open?")))
    assert (len(stage.wire.asked), stage.wire.texts) == (2, ["We open at nine."])


def test_a_model_that_never_says_anything_leaves_the_fallback_and_a_flag(stage: Stage) -> None:
    answer_in_turn(stage, "<think>Only a thought.</think>")
    stage.converse(inbound(text_message("When do you open?")))
    assert stage.wire.texts == [DEFAULT_FALLBACK]
    assert "no text" in Conversation.objects.get().needs_person
    assert Turn.objects.get().outcome == "fallback"


PRICES = "Apple cake 20 €, cherry cake 25 €. See https://shop.example."


def assistant(**settings: Any) -> Assistant:
    return Assistant.objects.create(tenant=Tenant.objects.single(), instructions=PRICES, **settings)


def test_a_link_to_an_unknown_host_is_removed_and_the_team_sees_it(stage: Stage, admin_client: Client) -> None:
    assistant(allowed_hosts="maps.example")
    answer_in_turn(stage, "See [our shop](https://evil.example/x), https://shop.example or https://maps.example/q.")
    stage.converse(inbound(text_message("Where?")))
    assert stage.wire.texts == ["See our shop, https://shop.example or https://maps.example/q."]
    page = admin_client.get(f"/admin/conversations/conversation/{Conversation.objects.get().pk}/change/")
    assert "a link to evil.example was removed" in page.content.decode()


def test_an_answer_that_is_only_a_forbidden_link_is_asked_for_again(stage: Stage) -> None:
    answer_in_turn(stage, "https://evil.example", "Hello!")
    stage.converse(inbound(text_message("Hi")))
    assert stage.wire.texts == ["Hello!"]


def test_an_invented_price_is_sent_with_a_warning_to_the_team(stage: Stage, admin_client: Client) -> None:
    assistant()
    answer_in_turn(stage, "The apple cake is 33 €, the cherry cake 25 €.")
    stage.converse(inbound(text_message("Prices?")))
    assert stage.wire.texts == ["The apple cake is 33 €, the cherry cake 25 €."]
    assert Turn.objects.get().warning == "Check this reply: 33 € isn't in the instructions or the conversation."
    page = admin_client.get(f"/admin/conversations/conversation/{Conversation.objects.get().pk}/change/")
    assert "33 € isn&#x27;t in the instructions" in page.content.decode()


def test_with_the_check_off_nothing_is_marked(stage: Stage) -> None:
    assistant(fact_check="off")
    answer_in_turn(stage, "The apple cake is 33 €.")
    stage.converse(inbound(text_message("Price?")))
    assert (stage.wire.texts, Turn.objects.get().warning) == (["The apple cake is 33 €."], "")


def test_with_the_check_enforced_the_model_is_asked_once_more(stage: Stage) -> None:
    assistant(fact_check="enforce")
    answer_in_turn(stage, "The apple cake is 33 €.", "The apple cake is 20 €.")
    stage.converse(inbound(text_message("Price?")))
    assert stage.wire.texts == ["The apple cake is 20 €."]
    *_, draft, objection = stage.wire.asked[1]["messages"]
    assert (draft["role"], draft["content"]) == ("assistant", "The apple cake is 33 €.")
    assert "33 €" in objection["content"]
    turn = Turn.objects.get()
    assert (turn.prompt_tokens, turn.warning) == (40, "")


def test_with_the_check_enforced_a_second_invention_is_handed_over(stage: Stage) -> None:
    assistant(fact_check="enforce")
    answer_in_turn(stage, "The apple cake is 33 €.")
    stage.converse(inbound(text_message("Price?")))
    assert (len(stage.wire.asked), stage.wire.texts) == (2, [DEFAULT_FALLBACK])
    assert "33 € isn't in the instructions or the conversation" in Conversation.objects.get().needs_person


def test_the_first_link_is_previewed_if_the_business_wants_it(stage: Stage) -> None:
    assistant(previews_links=True)
    answer_in_turn(stage, "a" * 4090 + "\n\n" + "See https://shop.example or https://shop.example/b")
    stage.converse(inbound(text_message("Where?")))
    assert [body["text"].get("preview_url", False) for body in stage.wire.sent] == [False, True]
    assert stage.wire.texts[1] == "See https://shop.example or https://shop.example/b"
