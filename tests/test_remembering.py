"""What a prompt remembers of a long conversation, read by a model that answers only from its prompt."""

import json
from typing import Any

import httpx2

from assistant.models import Turn
from assistant.prompt import recall
from assistant.tests.planted import FACTS, converse
from conversations.models import Conversation
from sandbox.model import reader
from tests.stage import Json, Stage, completion
from whatsapp.tests.factories import inbound, text_message

DEPTHS = (10, 50, 200, 1000, 2000)
PER_DEPTH = 8


def tokens(text: str) -> int:
    return len(text) // 4


def test_facts_are_remembered_at_every_depth_with_few_tokens(stage: Stage, settings: Any) -> None:
    settings.MACHINE_EXCHANGES = settings.CUSTOMER_REPLIES_PER_HOUR = 0
    prompts: list[Json] = []

    async def read(request: httpx2.Request) -> httpx2.Response:
        prompts.append(json.loads(await request.aread()))
        return completion(reader.answer(prompts[-1]["messages"]))

    stage.network.model = read
    stage.post(inbound(text_message("Hello")))
    talk = Conversation.objects.get()
    Turn.objects.all().delete()
    planted = {depth + n: FACTS[place * PER_DEPTH + n] for place, depth in enumerate(DEPTHS) for n in range(PER_DEPTH)}
    everything = sum(tokens(row.text) for row in converse(talk, max(planted), planted))
    found = dict.fromkeys(DEPTHS, 0)
    for ago, fact in planted.items():
        stage.converse(inbound(text_message(fact.question)))
        depth = max(each for each in DEPTHS if each <= ago)
        found[depth] += fact.name in stage.wire.texts[-1]
    assert found == dict.fromkeys(DEPTHS, PER_DEPTH)
    sent = [sum(tokens(each["content"]) for each in body["messages"][1:]) for body in prompts]
    assert sum(sent) / len(sent) <= 0.05 * everything
    assert max(tokens(recall.rebuilt(talk.pk, turn.prompt["recalled"]).text) for turn in Turn.objects.all()) <= 1000
