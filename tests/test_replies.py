"""What a customer gets when the model's answer is more than a plain reply."""

from typing import Any

import httpx2
import pytest

from assistant.models import DEFAULT_FALLBACK, Turn
from conversations.models import Conversation, ConversationMessage
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
