"""Whatever a model's service answers: the customer gets a clean reply or the fallback text, and a flag says why.

`model_answers.json` has answers and errors of twelve services, as their documentation shows them, and what else can
come in a response: shapes, encodings, sizes. Each goes through the real worker, all of them at once.
"""

import json
import unicodedata
from pathlib import Path
from typing import Any

import httpx2
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assistant.model import answers
from assistant.model.answers import Answer
from assistant.model.errors import RULES, ModelFailed
from assistant.models import Assistant, Dialect, Turn
from conversations.models import Conversation, Pause
from runtime import http
from tests.stage import Json, Stage, completion, newest
from whatsapp.tests.factories import inbound, text_message

TABLE: list[Json] = json.loads(Path(__file__).with_name("model_answers.json").read_text())
FALLBACK = Assistant().fallback_text


def response(row: Json) -> httpx2.Response:
    body = row["raw"] * row.get("times", 1) if "raw" in row else json.dumps(row["body"])
    content = body.encode(row.get("encoding", "utf-8"))
    return httpx2.Response(row["status"], content=content, headers={"content-type": "application/json"})


def serve(stage: Stage, rows: list[Json]) -> None:
    """Customer 0 gets the first row's answer, and so on. `then`: what the model says when it's asked again."""
    asked: set[int] = set()

    def answer(body: Json) -> httpx2.Response:
        number = int(newest(body).split()[-1])
        if "then" in rows[number] and number in asked:
            return completion(rows[number]["then"])
        asked.add(number)
        return response(rows[number])

    stage.wire.model = answer
    for number in range(len(rows)):
        sender = f"4915{number:06}"
        burst = (text_message(f"{text} {number}", sender=sender) for text in ("Hello", "Question"))
        stage.post(inbound(*burst))
    stage.work()


def texts(stage: Stage) -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    for body in stage.wire.sent:
        found.setdefault(int(body["to"][4:]), []).append(body["text"]["body"])
    return found


def is_clean(text: str) -> bool:
    return all(character in "\t\n" or unicodedata.category(character) not in ("Cc", "Cs") for character in text)


def test_every_answer_of_every_service_ends_in_a_reply_or_in_the_fallback_text_with_the_reason(stage: Stage) -> None:
    assert len(TABLE) >= 120
    serve(stage, TABLE)
    sent = texts(stage)
    turns = {int(turn.conversation.external_id[4:]): turn for turn in Turn.objects.select_related("conversation")}
    wrong = []
    for number, row in enumerate(TABLE):
        turn, said = turns[number], sent.get(number, [])
        flag = turn.conversation.needs_person
        good = (
            (turn.state, said, flag) == ("replied", [row["reply"]], "")
            if row["reply"]
            else (turn.state, said) == ("failed", [FALLBACK]) and row["says"] in turn.error and row["says"][:40] in flag
        )
        if not good or turn.lost_leases or not is_clean("".join(said) + turn.error + flag + turn.model):
            wrong.append(f"{row['service']}, {row['name']}: {turn.state} {said} {turn.error!r} {flag!r}")
    assert not wrong, "\n".join(wrong)
    assert len(Turn.objects.filter(model__endswith="model-Q4_K_M.gguf")) > 0
    assert set(Conversation.objects.filter(needs_person="").values_list("turns__state", flat=True)) == {"replied"}


# JSON as a service might send it: our own field names, in any place and with any value.
NAMES = st.sampled_from(
    ["choices", "message", "content", "error", "code", "type", "text", "usage", "prompt_tokens", "completion_tokens",
     "finish_reason", "model", "refusal", "tool_calls", "function", "name", "arguments", "index", "detail", "loc",
     "msg", "metadata", "raw", "prompt_tokens_details", "cached_tokens", "status", "object", "param"]
)  # fmt: skip
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.integers(400, 600),
    st.text(st.characters(exclude_categories=()), max_size=20),
    st.sampled_from(["\x00", "\ud83d", "length", "text", "<think>", "context_length_exceeded", "max_tokens", "system"]),
)  # fmt: skip
ANYTHING = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=6), max_leaves=25
)
MESSAGES = st.fixed_dictionaries({"content": ANYTHING}, optional={"refusal": ANYTHING, "tool_calls": ANYTHING})
CHOICES = st.fixed_dictionaries({"message": MESSAGES}, optional={"finish_reason": ANYTHING, "error": ANYTHING})
ANSWERS = st.fixed_dictionaries(
    {"choices": st.lists(CHOICES, min_size=1, max_size=2)},
    optional={"usage": ANYTHING, "model": ANYTHING, "error": ANYTHING},
)
BODIES = st.one_of(ANSWERS, ANYTHING, st.fixed_dictionaries({"error": ANYTHING}))
STATUSES = st.sampled_from([200, 200, 200, 400, 404, 413, 422, 429, 500, 529])


@given(status=STATUSES, body=BODIES)
@settings(max_examples=200, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_any_json_is_an_answer_or_a_failure_in_plain_words(status: int, body: Any) -> None:
    received = http.Response(status, {}, json.dumps(body).encode())
    read: Answer | ModelFailed
    try:
        read = answers.read(received, "sk-a-key-of-ours")
    except ModelFailed as failure:
        read = failure
    if isinstance(read, ModelFailed):
        assert read.kind in RULES
        assert is_clean(read.detail)
        assert len(read.detail) < 600
    else:
        assert is_clean(read.text + read.model + read.reason)
        assert 0 <= read.cached_tokens <= read.prompt_tokens <= answers.MOST_TOKENS
        assert 0 <= read.completion_tokens <= answers.MOST_TOKENS


@given(bodies=st.lists(st.tuples(STATUSES, BODIES), min_size=30, max_size=30))
@settings(max_examples=3, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_no_json_crashes_the_worker_or_leaves_a_turn_open(stage: Stage, bodies: list[tuple[int, Any]]) -> None:
    for rows in (Turn.objects, Conversation.objects, Pause.objects, Dialect.objects):
        rows.all().delete()
    stage.wire.sent.clear()
    serve(stage, [{"status": status, "body": body, "then": "Fine."} for status, body in bodies])
    sent = texts(stage)
    assert Turn.objects.count() == len(bodies)
    assert not Turn.objects.exclude(state__in=["replied", "failed"]).exists()
    assert not Turn.objects.filter(lost_leases__gt=0).exists()
    assert all(len(sent[number]) >= 1 for number in range(len(bodies)))
    assert all(is_clean(text) for said in sent.values() for text in said)
    assert not Turn.objects.filter(error__contains="couldn't be").exists(), "none of our own errors"
