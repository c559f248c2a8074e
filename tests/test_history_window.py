"""Which messages the model is shown, and in which order."""

from typing import Any

import pytest

from assistant.model import context
from assistant.models import Assistant, Turn
from conversations.history.messages import Window, windows_of
from conversations.models import Conversation, ConversationMessage
from conversations.tests.rows import conversation, many_messages
from tenants.models import Tenant
from tests.stage import Stage, lines
from whatsapp.tests import factories
from whatsapp.tests.factories import inbound, message, text_message


@pytest.fixture(autouse=True)
def many_quick_messages(settings: Any) -> None:
    settings.MACHINE_EXCHANGES = 0
    settings.CUSTOMER_REPLIES_PER_HOUR = 0


def asked(stage: Stage) -> list[Any]:
    """The lines of the last prompt without the instructions: what one side says in a row is one message."""
    return [line for each in stage.wire.asked[-1]["messages"][1:] for line in each["content"].split("\n")]


def reaction(emoji: str, to: str) -> Any:
    return message("reaction", {"message_id": to, "emoji": emoji})


@pytest.mark.parametrize("count", [20, 60])
def test_reactions_do_not_push_words_out_of_the_window(stage: Stage, count: int) -> None:
    stage.converse(inbound(text_message("I'm allergic to nuts", id="wamid.facts")))
    stage.post(inbound(*(reaction("👍" if n % 2 else "❤️", "wamid.facts") for n in range(count))))
    stage.post(inbound(*(message("request_welcome") for _ in range(5))))
    stage.converse(inbound(text_message("What may I eat?")))
    facts, answer, *current, question = asked(stage)
    assert (facts, question) == ("I'm allergic to nuts", "What may I eat?")
    assert answer.startswith("Answer to")
    assert current[-1] == "[reaction] 👍"
    assert [line for line in current if "reaction" in line] == current[-1:], "the others were replaced"


def test_a_reaction_that_was_removed_or_whose_message_is_gone_is_not_shown(stage: Stage) -> None:
    stage.converse(inbound(text_message("Hello", id="wamid.a")))
    stage.post(inbound(reaction("👍", "wamid.a"), reaction("", "wamid.a"), reaction("👍", "wamid.long-ago")))
    stage.converse(inbound(text_message("And?")))
    assert asked(stage) == ["Hello", "Answer to Hello", "And?"]


def test_the_model_sees_all_of_a_burst_that_is_longer_than_the_window(stage: Stage) -> None:
    Assistant.objects.create(tenant=Tenant.objects.single(), history_limit=4, history_growth=0)
    stage.converse(inbound(text_message("Before")))
    burst = [f"{n}" for n in range(30)]
    stage.converse(inbound(*(text_message(text) for text in burst)))
    assert asked(stage) == burst
    stage.converse(inbound(text_message("After")))
    assert asked(stage) == ["28", "29", "Answer to 29", "After"]


def test_messages_that_overtook_each_other_are_shown_as_they_were_sent(stage: Stage) -> None:
    at = factories.SENT_AT
    times = {"three": at + 2, "one": at, "four": at + 3, "two": at + 1, "two, too": at + 1}
    for text, time in times.items():
        stage.post(inbound(text_message(text, timestamp=str(time), id=f"wamid.{text}")))
    stage.work()
    assert asked(stage) == ["one", "two", "two, too", "three", "four"]
    assert stage.wire.sent[-1]["context"] == {"message_id": "wamid.four"}, "it quotes the last one that was sent"


def test_an_older_message_that_comes_after_the_reply_is_the_one_to_answer(stage: Stage) -> None:
    at = factories.SENT_AT
    stage.converse(inbound(text_message("second", timestamp=str(at + 1))))
    stage.converse(inbound(text_message("first", timestamp=str(at))))
    assert asked(stage) == ["second", "Answer to second", "first"]


def test_messages_that_the_model_is_not_shown_do_not_push_words_out_of_the_window(stage: Stage) -> None:
    Assistant.objects.create(tenant=Tenant.objects.single(), history_limit=4, history_growth=0)
    stage.converse(inbound(text_message("I'm allergic to nuts")))
    stage.post(inbound(*(text_message(f"{n}", id=f"wamid.{n}") for n in range(6))))
    Turn.objects.filter(state="collecting").delete()
    stage.post(inbound(*(message("revoke", {"original_message_id": f"wamid.{n}"}) for n in range(5))))
    ConversationMessage.objects.filter(external_id="wamid.5").update(refused="content_filter")
    stage.converse(inbound(text_message("What may I eat?")))
    assert asked(stage) == ["I'm allergic to nuts", "Answer to I'm allergic to nuts", "What may I eat?"]


@pytest.mark.django_db
def test_a_window_is_bounded_whatever_came_since() -> None:
    talk = conversation(None)
    many_messages(talk, 10)
    rows = [ConversationMessage(conversation=talk, role="user", text="x", kind="reaction") for _ in range(3000)]
    ConversationMessage.objects.bulk_create(rows)
    window = Window(talk.pk, 5, 0, None, ConversationMessage.objects.latest("pk").pk)
    assert len(windows_of([window], context.SILENT)[talk.pk]) == 1000


def prompts(stage: Stage, count: int, first: int = 0) -> list[list[str]]:
    """The lines of each prompt, after this many more messages of the customer."""
    for n in range(first, first + count):
        stage.converse(inbound(text_message(f"no. {n}")))
    return [lines({"messages": body["messages"][1:]}) for body in stage.wire.asked]


def test_the_window_grows_and_then_moves_in_one_step(stage: Stage) -> None:
    Assistant.objects.create(tenant=Tenant.objects.single(), history_limit=4, history_growth=6)
    shown = prompts(stage, 12)
    assert [len(each) for each in shown] == [1, 3, 5, 7, 9, 4, 6, 8, 10, 4, 6, 8]
    beginnings = [each[0] for each in shown]
    assert beginnings == ["no. 0"] * 5 + ["Answer to no. 3"] * 4 + ["Answer to no. 7"] * 3


def test_a_deleted_message_moves_no_beginning(stage: Stage) -> None:
    Assistant.objects.create(tenant=Tenant.objects.single(), history_limit=4, history_growth=6)
    stage.converse(inbound(text_message("early", id="wamid.early")))
    before = prompts(stage, 5)[-1]
    stage.post(inbound(message("revoke", {"original_message_id": "wamid.early"})))
    assert prompts(stage, 1, first=5)[-1][:4] == before[:4]


def test_a_window_without_growth_slides(stage: Stage) -> None:
    Assistant.objects.create(tenant=Tenant.objects.single(), history_limit=4, history_growth=0)
    assert [each[0] for each in prompts(stage, 5)[2:]] == ["Answer to no. 0", "Answer to no. 1", "Answer to no. 2"]


def test_after_a_long_time_with_a_person_the_window_begins_anew(stage: Stage) -> None:
    stage.converse(inbound(text_message("long ago")))
    talk = Conversation.objects.get()
    rows = [ConversationMessage(conversation=talk, role="assistant", origin="operator", text=f"{n}") for n in range(70)]
    ConversationMessage.objects.bulk_create(rows)
    stage.converse(inbound(text_message("Now?")))
    shown = asked(stage)
    assert (len(shown), shown[0], shown[-1]) == (20, "51", "Now?")
