"""A reply quotes the message it answers if that isn't obvious."""

import httpx2

from conversations.models import Conversation
from conversations.outbox import queue as outbox
from tests.stage import Json, Stage, completion
from whatsapp.tests.factories import inbound, message, text_message


def quoted(stage: Stage) -> list[str | None]:
    return [body.get("context", {}).get("message_id") for body in stage.wire.sent]


def test_a_reply_to_the_one_open_message_quotes_nothing(stage: Stage) -> None:
    stage.converse(inbound(text_message("Hello")))
    stage.converse(inbound(text_message("Do you deliver?")))
    assert quoted(stage) == [None, None]


def test_a_reply_to_several_messages_quotes_the_last_of_them(stage: Stage) -> None:
    stage.converse(inbound(text_message("Hello", id="wamid.a"), text_message("Do you deliver?", id="wamid.b")))
    assert quoted(stage) == ["wamid.b"]


def test_only_its_first_bubble_quotes(stage: Stage) -> None:
    stage.wire.model = lambda body: completion("\n\n".join(["a" * 3000, "b" * 3000]))
    stage.converse(inbound(text_message("Hello", id="wamid.a"), text_message("Tell me all", id="wamid.b")))
    assert quoted(stage) == ["wamid.b", None]


def test_a_reaction_is_not_an_open_message(stage: Stage) -> None:
    reaction = message("reaction", {"message_id": "wamid.x", "emoji": "👍"})
    stage.converse(inbound(text_message("Hello", id="wamid.a"), reaction))
    assert quoted(stage) == [None]


def test_a_reply_quotes_when_something_came_in_between(stage: Stage) -> None:
    stage.post(inbound(text_message("Hello", id="wamid.a")))
    outbox.send(Conversation.objects.get(), "A word from the shop's own system.")
    stage.work()
    assert quoted(stage)[-1] == "wamid.a"


def test_a_reply_that_went_out_beside_a_newer_message_quotes_what_it_answers(stage: Stage) -> None:
    newer = [lambda n=n: stage.post(inbound(text_message(f"{n}", id=f"wamid.{n}"))) for n in (2, 3, 4)]

    def think(body: Json) -> httpx2.Response:
        if newer:
            newer.pop(0)()
        return completion("Yes")

    stage.wire.model = think
    stage.converse(inbound(text_message("1", id="wamid.1")))
    assert quoted(stage)[0] == "wamid.3", "the fourth came after the last draft"
