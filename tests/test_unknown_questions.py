"""What the assistant doesn't know: the model is told, the question is collected, and a page shows what is found."""

import httpx2
import pytest
from django.test import Client
from django.urls import reverse

from conversations.models import Conversation, ConversationMessage
from knowledge.indexing import store_chunks
from knowledge.models import Source
from knowledge.unanswered import UnansweredQuestion
from tenants.tests.people import TwoBusinesses
from tests.knowing import CARROT, answering, ask, know
from tests.stage import Json, Stage, completion
from whatsapp.tests.factories import inbound, message, text_message


def test_the_model_is_told_that_nothing_is_known_and_the_question_is_collected(stage: Stage) -> None:
    know("Carrot cake", CARROT)
    answering(stage, completion("I don't know. Shall I ask a colleague? [?]"))
    ask(stage, "Do you repair bicycles?")
    assert "Nothing is known about this" in stage.wire.situations[0]
    assert stage.wire.texts == ["I don't know. Shall I ask a colleague?"]
    [question] = UnansweredQuestion.objects.all()
    assert (question.text, question.conversation) == ("Do you repair bicycles?", Conversation.objects.get())


def test_a_question_that_the_customer_deletes_is_forgotten(stage: Stage) -> None:
    know("Carrot cake", CARROT)
    answering(stage, completion("I don't know. Shall I ask a colleague? [?]"))
    ask(stage, "Do you repair bicycles?")
    asked = UnansweredQuestion.objects.get().message_id
    wamid = ConversationMessage.objects.get(pk=asked).external_id
    assert stage.post(inbound(message("revoke", {"original_message_id": wamid}))).json() == {"ok": True}
    assert not UnansweredQuestion.objects.exists()


@pytest.mark.parametrize(
    ("question", "answer", "is_collected"),
    [
        ("Do you repair bicycles?", completion("I don't know."), True),  # it forgot the mark
        ("How much is the carrot cake for two?", completion("I don't know that. [?]"), True),
        ("Do you repair bicycles", completion(None, ("hand_over", {"reason": "cant_answer", "summary": "s"})), True),
        ("Do you repair bicycles?", completion("No, we bake [1]."), False),  # it found an answer
        ("How much is the carrot cake?", completion("28 euros [1]."), False),
        ("Hello!", completion("Hello!"), False),
        ("Thank you very much", completion("You're welcome."), False),
        ("Can I talk to someone?", completion(None, ("hand_over", {"reason": "asked", "summary": "s"})), False),
    ],
)
def test_only_what_was_not_answered_is_collected(
    stage: Stage, question: str, answer: httpx2.Response, is_collected: bool
) -> None:
    know("Carrot cake", CARROT)
    answering(stage, answer, *([completion("I've asked a colleague.")] if b"hand_over" in answer.content else []))
    ask(stage, question)
    assert UnansweredQuestion.objects.exists() == is_collected


@pytest.mark.parametrize("mark", ["", " [?]"])
def test_a_customer_who_accepts_the_offer_of_a_person_asks_nothing_new(stage: Stage, mark: str) -> None:
    """Their question is collected once, although the model hands over because it can't answer."""
    know("Carrot cake", CARROT)
    accepts = completion(None, ("hand_over", {"reason": "cant_answer", "summary": "s"}))
    answering(stage, completion(f"I can't say. Shall I ask a colleague?{mark}"), accepts, completion("I've asked one."))
    ask(stage, "Is the carrot cake vegan?")
    ask(stage, "Yes, please")
    assert [question.text for question in UnansweredQuestion.objects.all()] == ["Is the carrot cake vegan?"]


def test_a_known_question_has_no_such_note(stage: Stage) -> None:
    know("Carrot cake", CARROT)
    ask(stage, "How much is the carrot cake?")
    assert "Nothing is known" not in stage.wire.situations[0]


def test_a_dropped_draft_collects_nothing(stage: Stage) -> None:
    """A newer message comes while the model thinks, and changes the question."""
    know("Carrot cake", CARROT)

    def think(body: Json) -> httpx2.Response:
        if len(stage.wire.asked) == 1:
            stage.post(inbound(text_message("I mean: how much is the carrot cake?")))
            return completion("I don't know. [?]")
        return completion("28 euros [1].")

    stage.wire.model = think
    ask(stage, "Do you repair bicycles?")
    assert not UnansweredQuestion.objects.exists()


# --- What would it find? ------------------------------------------------------------------------------------


def found(client: Client, **asked: str | int) -> str:
    return client.get(reverse("admin:assistant_find"), asked).content.decode()


def test_the_page_shows_the_passages_for_a_question_as_the_model_sees_them(businesses: TwoBusinesses) -> None:
    source = Source.objects.create(tenant=businesses.ours, kind=Source.Kind.TEXT, title="Carrot cake", text=CARROT)
    store_chunks(source)
    client = businesses.browser("viewer")
    assert f"[1] Carrot cake\n{CARROT}" in found(client, q="How much is the carrot cake?")
    assert "Nothing is known about this" in found(client, q="Do you repair bicycles?")
    assert "like to know" not in found(client)


def test_the_page_never_shows_another_business_s_knowledge(businesses: TwoBusinesses) -> None:
    source = Source.objects.create(tenant=businesses.theirs, kind=Source.Kind.TEXT, title="Secret", text=CARROT)
    store_chunks(source)
    client = businesses.browser("owner")
    for tenant in (businesses.theirs.pk, "x", "9" * 30):
        assert CARROT not in found(client, q="carrot cake", tenant=tenant)
