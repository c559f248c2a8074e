"""Parley in the sandbox's weather: every way that Meta and the model can misbehave."""

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from . import postgres
from .sandboxed import Sandboxed
from .world import World

pytestmark = [pytest.mark.faults, pytest.mark.slow, pytest.mark.xdist_group("weather")]
PERSON = "15551230001"
_numbers = itertools.count(700_000_000_000)


@pytest.fixture(scope="module")
def sandboxed(server: postgres.Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandboxed]:
    one = Sandboxed(World(server.create(), Path(tmp_path_factory.mktemp("sandboxed"))))
    yield one
    one.close()


@pytest.fixture
def number(sandboxed: Sandboxed) -> Iterator[str]:
    """A business number for this test only, so that its pauses don't affect others."""
    yield str(next(_numbers))
    sandboxed.weather()


def graph(kind: str, number: str, **params: Any) -> dict[str, Any]:
    return {"area": "graph", "kind": kind, "phone_number_id": number, "times": 1, **params}


@pytest.mark.parametrize("code", [1, 2, 131000, 131016, 80007, 130429, 131056, 131048, 131064, 131057, 133004])
def test_a_refusal_that_passes_is_tried_again_until_it_is_delivered(
    sandboxed: Sandboxed, number: str, code: int
) -> None:
    sandboxed.weather(graph("error", number, code=code))
    sandboxed.say(number, PERSON, "Hello")
    sandboxed.wait_for_status(number, "delivered")
    assert len(sandboxed.sends(number)) == 2


@pytest.mark.parametrize("code", [131026, 130403, 131021, 131030, 131062, 131047, 100, 131008, 131009, 131051])
def test_a_permanent_refusal_fails_at_once_with_a_reason_and_is_flagged(
    sandboxed: Sandboxed, number: str, code: int
) -> None:
    sandboxed.weather(graph("error", number, code=code))
    sandboxed.say(number, PERSON, "Hello")
    sandboxed.wait_for_status(number, "failed")
    (reply,) = sandboxed.replies(number)
    assert (reply["error_code"], len(sandboxed.sends(number))) == (code, 1)
    assert reply["error_detail"]
    assert sandboxed.world.one("SELECT needs_person FROM conversations WHERE phone_number_id = %s", number)


@pytest.mark.parametrize("code", [0, 3, 10, 190, 200, 131005, 368, 130497, 131031, 131042, 133010, 131045])
def test_a_refused_token_or_business_holds_the_number_until_a_person_resumes(
    sandboxed: Sandboxed, number: str, code: int
) -> None:
    sandboxed.weather(graph("error", number, code=code))
    sandboxed.say(number, PERSON, "Hello")
    sandboxed.wait_for_status(number, "queued")
    pause = "SELECT count(*) FROM pauses WHERE until IS NULL AND scope = %s"
    sandboxed.world.wait(lambda: sandboxed.world.one(pause, f"number:{number}") == 1)
    assert len(sandboxed.sends(number)) == 1
    sandboxed.world.run(f"from conversations.outbox import queue as outbox; outbox.resume('{number}')")
    sandboxed.wait_for_status(number, "delivered")
    assert len(sandboxed.sends(number)) == 2


def test_a_throttled_app_waits_and_delivers(sandboxed: Sandboxed, number: str) -> None:
    sandboxed.weather(graph("error", number, code=4))
    sandboxed.say(number, PERSON, "Hello")
    sandboxed.wait_for_status(number, "delivered")


@pytest.mark.parametrize("kind", ["no_answer", "unreadable"])
def test_what_was_sent_without_an_answer_is_settled_by_its_status_and_never_sent_again(
    sandboxed: Sandboxed, number: str, kind: str
) -> None:
    sandboxed.weather(graph(kind, number))
    sandboxed.say(number, PERSON, "Hello")
    sandboxed.wait_for_status(number, "delivered")
    assert len(sandboxed.sends(number)) == 1


@pytest.mark.parametrize("kind", ["closed", "html"])
def test_an_unknown_outcome_is_uncertain_and_never_sent_again(sandboxed: Sandboxed, number: str, kind: str) -> None:
    sandboxed.weather(graph(kind, number))
    sandboxed.say(number, PERSON, "Hello")
    sandboxed.wait_for_status(number, "uncertain")
    assert len(sandboxed.sends(number)) == 1


def test_a_slow_graph_is_waited_for(sandboxed: Sandboxed, number: str) -> None:
    sandboxed.weather(graph("slow", number, seconds=2))
    sandboxed.say(number, PERSON, "Hello")
    sandboxed.wait_for_status(number, "delivered")


def test_a_refusal_that_comes_later_is_a_failure_with_its_reason(sandboxed: Sandboxed, number: str) -> None:
    sandboxed.weather(graph("failed", number, code=131026))
    sandboxed.say(number, PERSON, "Hello")
    sandboxed.wait_for_status(number, "failed")
    assert sandboxed.replies(number)[0]["error_code"] == 131026


@pytest.mark.parametrize(
    ("kind", "params", "status"),
    [
        ("duplicate", {"copies": 3}, "delivered"),
        ("reorder", {}, "delivered"),
        ("late", {"seconds": 2}, "delivered"),
        ("no_statuses", {}, "sent"),
    ],
)
def test_misbehaving_webhooks_lead_to_one_reply(
    sandboxed: Sandboxed, number: str, kind: str, params: dict[str, Any], status: str
) -> None:
    sandboxed.weather({"area": "webhook", "kind": kind, "phone_number_id": number, **params})
    sandboxed.say(number, PERSON, "Hello")
    sandboxed.wait_for_status(number, status)
    assert len(sandboxed.sends(number)) == 1


def test_read_without_delivered_counts_as_both(sandboxed: Sandboxed, number: str) -> None:
    sandboxed.weather({"area": "webhook", "kind": "read_without_delivered", "phone_number_id": number})
    sandboxed.say(number, PERSON, "Hello")
    sandboxed.wait_for_status(number, "read")


def test_a_batch_is_stored_whole_and_answered_once(sandboxed: Sandboxed, number: str) -> None:
    sandboxed.weather({"area": "webhook", "kind": "batch", "phone_number_id": number, "size": 3})
    for text in ("one", "two", "three"):
        sandboxed.say(number, PERSON, text)
    sandboxed.wait_for_status(number, "delivered")
    stored = "SELECT count(*) FROM conversation_messages m JOIN conversations c ON c.id = m.conversation_id"
    assert sandboxed.world.one(f"{stored} WHERE c.phone_number_id = %s AND m.role = 'user'", number) == 3


def test_a_wrong_signature_is_refused_and_nothing_is_stored(sandboxed: Sandboxed, number: str) -> None:
    sandboxed.weather({"area": "webhook", "kind": "bad_signature", "phone_number_id": number})
    sandboxed.say(number, PERSON, "Hello")
    sandboxed.world.wait(lambda: any(entry["status"] == 403 for entry in sandboxed.log("webhook", number)))
    assert sandboxed.world.one("SELECT count(*) FROM conversations WHERE phone_number_id = %s", number) == 0


# The model's behaviour: how many requests, and whether the customer gets its answer or the fallback.
MODEL = [
    ("slow", {"seconds": 1}, 1, "replied"),
    ("rate_limited", {"retry_after": 1}, 2, "replied"),
    ("model_not_found", {}, 1, "fallback"),
    ("server_error", {"status": 503}, 2, "replied"),
    ("cut", {}, 2, "replied"),
    ("html", {}, 2, "replied"),
    ("empty", {}, 2, "replied"),
    ("blank", {}, 2, "replied"),
    ("content_filter", {}, 1, "fallback"),
    ("length", {}, 1, "replied"),
    ("refusal", {}, 1, "fallback"),
    ("no_usage", {}, 1, "replied"),
    ("hang", {"seconds": 10}, 2, "replied"),
    ("trickle", {"seconds": 10}, 2, "replied"),
    ("context_length_exceeded", {}, 1, "fallback"),  # one message cannot be halved
]


@pytest.mark.parametrize(("kind", "params", "requests", "outcome"), MODEL, ids=[row[0] for row in MODEL])
def test_the_model_behaves_badly_once(
    sandboxed: Sandboxed, number: str, kind: str, params: dict[str, Any], requests: int, outcome: str
) -> None:
    word = f"word{number}"
    sandboxed.weather({"area": "model", "kind": kind, "contains": word, "times": 1, **params})
    sandboxed.say(number, PERSON, f"Hello {word}")
    sandboxed.wait_for_status(number, "delivered")
    (turn,) = sandboxed.turns(number)
    assert (turn["outcome"], len(sandboxed.log("model", word))) == (outcome, requests)


def test_a_history_that_is_too_long_is_halved_once(sandboxed: Sandboxed, number: str) -> None:
    sandboxed.say(number, PERSON, "Hello")
    sandboxed.wait_for_status(number, "delivered")
    word = f"word{number}"
    sandboxed.weather({"area": "model", "kind": "context_length_exceeded", "contains": word, "times": 1})
    sandboxed.say(number, PERSON, f"Hello {word}")
    sandboxed.wait_for_status(number, "delivered", "delivered")
    assert (sandboxed.turns(number)[1]["outcome"], len(sandboxed.log("model", word))) == ("replied", 2)


@pytest.mark.parametrize("kind", ["insufficient_quota", "unauthorized"])
def test_an_unavailable_model_is_left_alone_for_a_while(sandboxed: Sandboxed, number: str, kind: str) -> None:
    word = f"word{number}"
    sandboxed.weather({"area": "model", "kind": kind, "contains": word})
    sandboxed.say(number, PERSON, f"Hello {word}")
    sandboxed.wait_for_status(number, "delivered")
    sandboxed.say(number, "15551230002", f"Hello {word}")
    sandboxed.wait_for_status(number, "delivered", "delivered")
    assert [turn["outcome"] for turn in sandboxed.turns(number)] == ["fallback", "fallback"]
    assert len(sandboxed.log("model", word)) == 1
    sandboxed.world.database.execute("DELETE FROM pauses WHERE scope LIKE 'model:%%'")


def test_the_conformance_check_is_all_green(sandboxed: Sandboxed, number: str) -> None:
    url = f"http://127.0.0.1:{sandboxed.world.port}"
    sandboxed.world.run(
        "from django.core.management import call_command; call_command('conformance', "
        f"'{url}/api/whatsapp/webhook', secret='app-secret-of-the-fault-tests', verify_token='verify', "
        f"sandbox='{url}/sandbox', phone_number_id='{number}', settle=3)"
    )
