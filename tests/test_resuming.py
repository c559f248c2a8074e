"""When a paused model endpoint is resumed, the customers who wrote in the meantime are answered."""

import datetime as dt
from collections.abc import Callable
from typing import Any

import httpx2
import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from assistant.models import Assistant, Turn
from assistant.turns import resuming
from conversations import handover
from conversations.models import Conversation, ConversationMessage, Pause
from conversations.outbox import queue as outbox
from tenants.models import Tenant
from tenants.tests.people import TwoBusinesses, browser_of, superuser
from tests.stage import Json, Stage, completion, lines, newest
from whatsapp.tests.factories import inbound, text_message

FALLBACK = Assistant().fallback_text


def no_credit(body: Json) -> httpx2.Response:
    error = {"message": "You have no credit.", "type": "insufficient_quota", "code": "insufficient_quota"}
    return httpx2.Response(429, json={"error": error})


def works(body: Json) -> httpx2.Response:
    return completion(f"Answer to {newest(body)}")


@pytest.fixture
def assistant(stage: Stage, settings: Any) -> Assistant:
    """An endpoint without credit, which two customers have found paused. One of them wrote twice."""
    settings.RETRY_TIME_SCALE = 1
    assistant = Assistant.objects.create(tenant=Tenant.objects.single(), api_key="sk-of-the-business")
    stage.wire.model = no_credit
    for text, sender in (("one", "491"), ("two", "491"), ("three", "492")):
        stage.converse(inbound(text_message(text, sender=sender)))
    assert stage.wire.texts == [FALLBACK, FALLBACK]
    assert Pause.objects.count() == 1
    return assistant


def flags() -> list[str]:
    return list(Conversation.objects.order_by("pk").values_list("needs_person", flat=True))


def press_resume(stage: Stage, assistant: Assistant) -> None:
    page = f"/admin/assistant/assistant/{assistant.pk}/"
    client = browser_of(User.objects.filter(username="root").first() or superuser())
    shown = client.get(f"{page}change/").content.decode()
    assert "You have no credit." in shown
    assert f"{page}resume/" in shown
    assert "You have no credit." in client.get(f"{page}resume/").content.decode()
    assert Pause.objects.exists(), "it asks first"
    assert client.post(f"{page}resume/").status_code == 302


def send_a_test_prompt(stage: Stage, assistant: Assistant) -> None:
    url = f"/admin/assistant/assistant/{assistant.pk}/test-prompt/"
    assert "Answer to Hi" in browser_of(superuser()).post(url, {"question": "Hi"}).content.decode()


def enter_a_new_key(stage: Stage, assistant: Assistant) -> None:
    page = f"/admin/assistant/assistant/{assistant.pk}/change/"
    client = browser_of(superuser())
    form = client.get(page).context["adminform"].form
    values = {name: value for name, field in form.fields.items() if (value := form.get_initial_for_field(field, name))}
    assert client.post(page, {**values, "api_key": "sk-new"}).status_code == 302


def change_the_key_in_the_environment(stage: Stage, assistant: Assistant) -> None:
    Assistant.objects.update(api_key="")
    assert resuming.answer_waiting() == 2


def resume_in_the_list(stage: Stage, assistant: Assistant) -> None:
    url = f"/admin/conversations/pause/{Pause.objects.get().pk}/resume/"
    assert browser_of(superuser()).post(url).status_code == 302
    assert resuming.answer_waiting() == 2, "the worker does this every few seconds"


def let_it_end(stage: Stage, assistant: Assistant) -> None:
    Pause.objects.update(until=timezone.now())
    assert resuming.answer_waiting() == 0, "nothing says that the endpoint works"
    stage.converse(inbound(text_message("four", sender="493")))
    assert not Pause.objects.exists()
    assert stage.wire.texts.pop() == "Answer to four"
    stage.wire.sent.pop()
    Conversation.objects.filter(external_id="493").delete()
    assert resuming.answer_waiting() == 2


@pytest.mark.parametrize(
    "resume",
    [
        press_resume,
        send_a_test_prompt,
        enter_a_new_key,
        change_the_key_in_the_environment,
        resume_in_the_list,
        let_it_end,
    ],
)
def test_who_wrote_in_the_meantime_is_answered(
    stage: Stage, assistant: Assistant, resume: Callable[[Stage, Assistant], None], caplog: Any
) -> None:
    stage.wire.model = works
    assert all(flag.startswith("The assistant didn't reply: ") for flag in flags())
    resume(stage, assistant)
    assert flags() == ["", ""]
    stage.work()
    assert sorted(stage.wire.texts[2:]) == ["Answer to three", "Answer to two"]
    assert [turn.outcome for turn in Turn.objects.order_by("pk")] == ["fallback", "replied", "replied"]
    assert not Turn.objects.exclude(waits_for="")
    shown = lines(stage.wire.asked[-1])
    assert "one" in shown or "three" in shown
    stage.work()
    assert resuming.answer_waiting() == 0
    assert len(stage.wire.texts) == 4


def test_resuming_is_logged_with_who_did_it(stage: Stage, assistant: Assistant, caplog: Any) -> None:
    caplog.set_level("INFO")
    press_resume(stage, assistant)
    assert any("resumed model:" in line and "You have no credit." in line for line in caplog.messages)


def test_an_endpoint_that_still_refuses_is_paused_again_and_nobody_is_told_twice(
    stage: Stage, assistant: Assistant
) -> None:
    press_resume(stage, assistant)
    stage.work()
    assert stage.wire.texts == [FALLBACK, FALLBACK]
    assert Pause.objects.active().count() == 1
    assert all("The assistant didn't reply" in flag for flag in flags())
    stage.wire.model = works
    press_resume(stage, assistant)
    stage.work()
    assert len(stage.wire.texts) == 4


def taken_over(conversation: Conversation) -> None:
    handover.take_over(conversation.pk, User.objects.create(username="bo"))


def answered_by_a_person(conversation: Conversation) -> None:
    outbox.send(conversation, "Bo here.", author=User.objects.create(username="bo"))


def window_closed(conversation: Conversation) -> None:
    Conversation.objects.filter(pk=conversation.pk).update(last_inbound_at=timezone.now() - dt.timedelta(days=1))


@pytest.mark.parametrize("why", [taken_over, answered_by_a_person, window_closed])
def test_who_was_answered_or_may_not_be_is_left_alone(
    stage: Stage, assistant: Assistant, why: Callable[[Conversation], None]
) -> None:
    why(Conversation.objects.get(external_id="491"))
    stage.wire.model = works
    press_resume(stage, assistant)
    stage.work()
    answers = ConversationMessage.objects.filter(text__startswith="Answer to")
    assert [answer.text for answer in answers] == ["Answer to three"]
    assert flags()[0] != "", "someone still has to look at it"


def test_who_writes_again_first_gets_one_reply(stage: Stage, assistant: Assistant) -> None:
    stage.wire.model = works
    stage.post(inbound(text_message("And?", sender="491")))
    press_resume(stage, assistant)
    stage.work()
    assert sorted(stage.wire.texts[2:]) == ["Answer to And?", "Answer to three"]


def test_a_first_key_answers_who_wrote_before_there_was_one(stage: Stage, settings: Any) -> None:
    settings.OPENAI_API_KEY = ""
    stage.converse(inbound(text_message("Hello")))
    assert (stage.wire.texts, resuming.answer_waiting()) == ([FALLBACK], 0)
    settings.OPENAI_API_KEY = "sk-first"
    assert resuming.answer_waiting() == 1
    stage.work()
    assert stage.wire.texts == [FALLBACK, "Answer to Hello"]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("who", "key", "status"),
    [
        ("owner", "sk-own", 200),
        ("owner", "", 403),  # the installation's key, which others use too
        ("operator", "sk-own", 403),
        ("viewer", "sk-own", 403),
        ("stranger", "sk-own", 404),
        ("nobody", "sk-own", 404),
    ],
)
def test_only_owners_may_resume_and_only_their_own_key(
    businesses: TwoBusinesses, settings: Any, who: str, key: str, status: int
) -> None:
    settings.OPENAI_API_KEY = "sk-shared"
    assistant = Assistant.objects.create(tenant=businesses.ours, api_key=key)
    Pause.objects.create(scope=resuming.waits_for(assistant, "quota"), reason="No credit.")
    url = f"/admin/assistant/assistant/{assistant.pk}/resume/"
    client: Client = businesses.browser(who)
    assert client.get(url).status_code == status
    assert client.post(url).status_code == (302 if status == 200 else status)
    assert Pause.objects.exists() == (status != 200)


@pytest.mark.django_db
@pytest.mark.parametrize("who", ["owner", "operator", "viewer", "stranger"])
def test_only_superusers_may_resume_any_pause(businesses: TwoBusinesses, who: str) -> None:
    pause = Pause.objects.create(scope="model:https://model.test/v1:abc", reason="No credit.")
    client = businesses.browser(who)
    assert client.post(f"/admin/conversations/pause/{pause.pk}/resume/").status_code in (403, 404)
    assert Pause.objects.exists()


def test_resuming_a_number_clears_the_flags_of_waiting_replies(stage: Stage, settings: Any) -> None:
    stage.wire.graph = lambda body: httpx2.Response(401, json={"error": {"message": "no", "code": 190}})
    stage.converse(inbound(text_message("Hello")))
    assert "A reply is waiting" in Conversation.objects.get().needs_person
    stage.wire.graph = None
    url = f"/admin/conversations/pause/{Pause.objects.get().pk}/resume/"
    browser_of(superuser()).post(url)
    stage.work()
    assert stage.wire.texts[-1] == "Answer to Hello"
    assert Conversation.objects.get().needs_person == ""
