"""The chat history: add a message, load the last 20, against two libraries on the same PostgreSQL."""

import json
import os
import subprocess
import time

from django.db import connection

from conversations.history.messages import add_conversation_message, get_last_messages, get_or_create_conversation

from . import database
from .stack import NUMBER, PEERS, PROJECT
from .tables import percentile, table, verdict

LENGTHS = (10, 1_000, 100_000)
ROUNDS = 60
WORDS = "Hello, do you deliver to the old town on Sunday? I would like two rolls and a cake."


def run(rounds: int = ROUNDS) -> None:
    ids = [_conversation(length) for length in LENGTHS]
    database.execute("ANALYZE conversation_messages")
    times = {"Parley": [times_of(pk, rounds) for pk in ids]}
    times.update(_peers(rounds))
    rows = [
        [name, length, *(percentile(values, part) for part in (50, 95, 99)), len(values)]
        for name, lengths in times.items()
        for length, values in zip(LENGTHS, lengths, strict=True)
    ]
    table("History: add a message and load the last 20 (ms)", ["", "messages", "p50", "p95", "p99", "rounds"], rows)
    ours = [percentile(values, 50) for values in times["Parley"]]
    theirs = {name: [percentile(values, 50) for values in found] for name, found in times.items() if name != "Parley"}
    faster = all(mine < other for found in theirs.values() for mine, other in zip(ours, found, strict=True))
    flat = ours[-1] / ours[0]
    ratios = [
        f"{name}: " + ", ".join(f"{o / m:.1f} ×" for m, o in zip(ours, t, strict=True)) for name, t in theirs.items()
    ]
    table(
        "History against its goals",
        ["goal", "measured", ""],
        [
            ["faster than both at each length (p50)", "; ".join(ratios), verdict(faster)],
            ["100,000 messages within 20 % of 10", f"{flat:.2f} ×", verdict(flat <= 1.2)],
        ],
    )


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


def _peers(rounds: int) -> dict[str, list[list[float]]]:
    """In the peers' own virtual environment, by `history_peers.py`."""
    if not PEERS.exists():
        print("The peers are not installed: `make bench` installs them into .venv-bench.")
        return {}
    asked = json.dumps({"lengths": LENGTHS, "rounds": rounds, "words": WORDS})
    environment = {**os.environ, "BENCH_DATABASE": database.url()}
    done = subprocess.run(
        [PEERS, "bench/history_peers.py", asked], cwd=PROJECT, env=environment, capture_output=True, text=True
    )
    if done.returncode:
        raise SystemExit(f"the peers failed:\n{done.stderr[-3000:]}")
    times: dict[str, list[list[float]]] = json.loads(done.stdout.splitlines()[-1])
    return times
