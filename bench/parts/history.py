"""The chat history: add a message and load the last 20, against two libraries on the same PostgreSQL."""

import json
import time

from django.db import connection

from bench import database, stack
from bench.stack import NUMBER, Scale
from bench.tables import Goal, goal, percentile, print_table, ratio
from conversations.history.messages import add_conversation_message, get_last_messages, get_or_create_conversation

LENGTHS = (10, 1_000, 100_000)
ROUNDS = 60
HEADS = ["", "messages", "p50 ms", "p95 ms", "p99 ms", "rounds"]
WORDS = "Hello, do you deliver to the old town on Sunday? I would like two rolls and a cake."


def run(scale: Scale) -> list[Goal]:
    ids = [_conversation(length) for length in LENGTHS]
    database.execute("ANALYZE conversation_messages")
    times = {"Parley": [times_of(pk, ROUNDS) for pk in ids], **_peers()}
    rows = [
        [name, length, *(percentile(values, part) for part in (50, 95, 99)), len(values)]
        for name, lengths in times.items()
        for length, values in zip(LENGTHS, lengths, strict=True)
    ]
    print_table("History: add a message and load the last 20", HEADS, rows)
    p50 = {name: [percentile(values, 50) for values in found] for name, found in times.items()}
    ours = p50.pop("Parley")
    faster = {name: [ratio(o, m) for o, m in zip(theirs, ours, strict=True)] for name, theirs in p50.items()}
    figure = "; ".join(f"{name}: {', '.join(f'{times:.1f} ×' for times in found)}" for name, found in faster.items())
    flat = ratio(ours[-1], ours[0])
    lengths = f"{LENGTHS[0]}, {LENGTHS[1]:,} and {LENGTHS[2]:,}"
    return [
        goal(
            f"history at {lengths} messages (p50)",
            figure,
            "faster than both libraries at each length",
            all(times > 1 for found in faster.values() for times in found),
        ),
        goal(
            f"history at {LENGTHS[-1]:,} messages, of that at {LENGTHS[0]}", f"{flat:.2f} ×", "within 20 %", flat <= 1.2
        ),
    ]


def _conversation(length: int) -> int:
    pk = get_or_create_conversation(None, NUMBER, f"history{length}").pk
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO conversation_messages (conversation_id, role, origin, text, raw_json, created_at)"
            " SELECT %s, CASE n %% 2 WHEN 0 THEN 'user' ELSE 'assistant' END, 'customer', %s, '{}',"
            " now() - (%s - n) * interval '1 second' FROM generate_series(1, %s) n",
            [pk, WORDS, length, length],
        )
    return pk


def times_of(pk: int, rounds: int, least: int = 10) -> list[float]:
    found = []
    for _ in range(rounds + 5):
        began = time.perf_counter()
        add_conversation_message(pk, "user", WORDS)
        assert len(get_last_messages(pk, 20)) >= least
        found.append((time.perf_counter() - began) * 1000)
    return found[5:]


def _peers() -> dict[str, list[list[float]]]:
    """In the peers' own virtual environment, by `peers/history.py`."""
    given = json.dumps({"lengths": LENGTHS, "rounds": ROUNDS, "words": WORDS})
    printed = stack.run_peer("-m", "bench.peers.history", given, environment={"BENCH_DATABASE": database.url()})
    times: dict[str, list[list[float]]] = json.loads(printed.splitlines()[-1])
    return times
