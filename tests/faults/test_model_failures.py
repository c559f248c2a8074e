"""Each row of the model's table, as a mode of the fake: how often it's called, and how the turn ends."""

from dataclasses import dataclass

import pytest

from . import behaviour as b
from .conftest import Worlds
from .meta import inbound, said
from .wire import Behaviour, Reply
from .world import FALLBACK, World

pytestmark = [pytest.mark.faults, pytest.mark.slow, pytest.mark.xdist_group("faults")]
TOO_LONG = b.model_error(400, "context_length_exceeded")


@dataclass(frozen=True)
class Mode:
    model: Behaviour
    asked: int  # requests for the first message
    outcome: str
    asked_again: int | None = None  # for the second one; None: as for the first


def error(status: int, code: str = "", **headers: str) -> Behaviour:
    return b.always(b.model_error(status, code, **headers))


MODES = {
    "no connection": Mode(b.answer, 0, "fallback"),
    "cut": Mode(b.cut(accepting=False), 3, "fallback"),
    "hangs": Mode(b.hang, 2, "fallback"),
    "trickles": Mode(b.always(Reply(body=b.completion("slow").body, trickle=0.05)), 2, "fallback"),
    "408": Mode(error(408), 3, "fallback"),
    "409": Mode(error(409), 3, "fallback"),
    "500": Mode(error(500), 3, "fallback"),
    "503": Mode(error(503), 3, "fallback"),
    "500 twice": Mode(b.in_turn(error(500), error(500), b.answer), 3, "replied", 1),
    "429 with Retry-After": Mode(
        b.in_turn(error(429, "rate_limit_exceeded", Retry_After="2"), b.answer), 2, "replied", 1
    ),
    "429 without credit": Mode(error(429, "insufficient_quota"), 1, "fallback", 0),
    "401": Mode(error(401, "invalid_api_key"), 1, "fallback", 0),
    "403": Mode(error(403), 1, "fallback", 0),
    "404": Mode(error(404, "model_not_found"), 1, "fallback"),
    "too long": Mode(b.in_turn(b.always(TOO_LONG), b.answer), 2, "replied", 1),
    "always too long": Mode(b.always(TOO_LONG), 2, "fallback", 3),  # halved until one message is left
    "400": Mode(error(400), 1, "fallback"),
    "422": Mode(error(422), 1, "fallback"),
    "HTML": Mode(b.always(Reply(body="<html>welcome</html>")), 2, "fallback"),
    "no choices": Mode(b.always(Reply(body={**b.completion("").body, "choices": []})), 2, "fallback"),  # type: ignore[dict-item]
    "blank": Mode(b.always(b.completion("  \n")), 2, "fallback"),
    "null": Mode(b.always(b.completion(None)), 2, "fallback"),
    "cut short": Mode(b.always(b.completion("One. Two. Thr", finish="length")), 1, "replied"),
    "filtered": Mode(b.always(b.completion("", finish="content_filter")), 3, "fallback", 5),
    "refusal": Mode(b.always(b.completion(None, refusal="I will not")), 3, "fallback", 5),
    "no usage": Mode(b.always(b.completion("Hello", usage=False)), 1, "replied"),
}
NUMBERS = {name: f"{4000 + position}" for position, name in enumerate(MODES)}
OUTCOMES = """
SELECT c.phone_number_id, t.outcome FROM turns t JOIN conversations c ON c.id = t.conversation_id ORDER BY t.id
"""


def outcomes(world: World) -> dict[str, list[str]]:
    by_number: dict[str, list[str]] = {}
    for row in world.rows(OUTCOMES):
        by_number.setdefault(row["phone_number_id"], []).append(row["outcome"])
    return {name: by_number[number] for name, number in NUMBERS.items()}


def asked(world: World) -> dict[str, int]:
    return {name: len(world.wire.of("model", number)) for name, number in NUMBERS.items()}


def ask(world: World, words: str) -> None:
    for number in NUMBERS.values():
        pair = [said(f"{words} {n}", number=number) for n in range(2)]
        world.meta.deliver(inbound(*pair, number=number))
    world.settle()


@pytest.fixture
def world(worlds: Worlds) -> World:
    """One tenant for each mode."""
    world = worlds(tenant=False, MODEL_ATTEMPT_SECONDS=2, MODEL_TURN_SECONDS=8, TURN_LEASE_SECONDS=12)
    world.wire.model = b.by_place({NUMBERS[name]: mode.model for name, mode in MODES.items()}, b.answer)
    for name, number in NUMBERS.items():
        away = {"base_url": "http://127.0.0.1:9/v1"} if name == "no connection" else {}
        world.add_tenant(number, **away)
    return world


def test_each_failure_is_handled_as_the_table_says(world: World) -> None:
    world.start()
    ask(world, "first")
    world.judge()
    assert asked(world) == {name: mode.asked for name, mode in MODES.items()}
    assert outcomes(world) == {name: [mode.outcome] for name, mode in MODES.items()}
    texts = {call.place: call.text for call in world.wire.accepted}
    assert texts[NUMBERS["cut short"]] == "One. Two."
    assert {texts[NUMBERS[name]] for name, mode in MODES.items() if mode.outcome == "fallback"} == {FALLBACK}
    estimated = "SELECT DISTINCT c.phone_number_id FROM turns t JOIN conversations c ON c.id = t.conversation_id"
    assert NUMBERS["no usage"] in world.database.column(f"{estimated} WHERE t.usage_estimated")
    halved = world.wire.of("model", NUMBERS["too long"])
    assert [call.body["messages"][-1]["content"].count("first") for call in halved] == [2, 1]

    ask(world, "second")
    world.judge()
    again = {name: m.asked + (m.asked if m.asked_again is None else m.asked_again) for name, m in MODES.items()}
    assert asked(world) == again
    told = [(call.place, call.to) for call in world.wire.accepted if call.text == FALLBACK]
    assert len(told) == len(set(told)), "a customer was told twice"
    # Turns that failed need attention.
    flagged = set(world.database.column("SELECT phone_number_id FROM conversations WHERE needs_person <> ''"))
    assert flagged == {NUMBERS[name] for name, mode in MODES.items() if mode.outcome != "replied"}


def test_a_lasting_rate_limit_postpones_the_turn_and_ends_in_the_fallback(worlds: Worlds) -> None:
    """429 for longer than a turn: due again later, for at most 10 minutes (skipped here by editing the row)."""
    world = worlds(RETRY_TIME_SCALE=0.02)
    world.wire.model = error(429, "rate_limit_exceeded")
    world.start()
    world.meta.deliver(inbound(said("Hello")))
    world.wait(lambda: len(world.wire.of("model")) >= 6)
    # Postponed, and not lost by a worker.
    assert [(turn["state"] in ("collecting", "generating"), turn["lost_leases"]) for turn in world.turns] == [(True, 0)]
    world.database.execute("UPDATE turns SET opened_at = opened_at - interval '10 minutes'")
    world.settle()
    world.judge()
    assert [call.text for call in world.wire.accepted] == [FALLBACK]
    assert len(world.wire.of("model")) % 3 == 0


def test_a_rate_limit_that_ends_is_followed_by_the_reply(worlds: Worlds) -> None:
    world = worlds(RETRY_TIME_SCALE=0.02)
    world.wire.model = error(429, "rate_limit_exceeded")
    world.start()
    world.meta.deliver(inbound(said("Hello")))
    world.wait(lambda: len(world.wire.of("model")) >= 3)
    world.wire.model = b.answer
    world.settle()
    world.judge()
    assert [call.text for call in world.wire.accepted] == ["Answer to [202020202020/1001] Hello"]
