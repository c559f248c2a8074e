"""The webhook while the worker answers everything, against the original's design written well (`peers/original.py`)."""

import contextlib
from collections.abc import Iterator

from bench import database, load, stack
from bench.stack import NUMBERS, Scale
from bench.tables import Goal, goal, print_table, ratio

from .webhook import HEADS, row

CONNECTIONS = 64
MODEL_SECONDS, GRAPH_SECONDS = 1, 0.1
SHORTEST = 8  # seconds: each of the original's requests takes more than one


@contextlib.contextmanager
def original() -> Iterator[int]:
    environment = {"BENCH_DATABASE": database.url(), "BENCH_NUMBERS": " ".join(NUMBERS)}
    stack.run_peer("-m", "bench.peers.original", environment=environment)
    options = ("--workers", str(stack.WEB_PROCESSES), "--port", str(stack.WEB_PORT), "--log-level", "warning")
    command = ("-m", "uvicorn", "bench.peers.original:app", *options)
    with stack.peer(*command, port=stack.WEB_PORT, environment=environment) as pid:
        stack.warm_up()
        yield pid


def run(scale: Scale) -> list[Goal]:
    database.empty()
    seconds = max(scale.seconds, SHORTEST)
    with stack.stand_in(MODEL_SECONDS, GRAPH_SECONDS), original():
        old = load.webhook(seconds, CONNECTIONS)
    with stack.stand_in(MODEL_SECONDS, GRAPH_SECONDS), stack.web(), stack.worker():
        new = load.webhook(seconds, CONNECTIONS)
    rows = [row("everything inside the request", old), row("Parley, the worker answers", new, old)]
    print_table(f"Webhook with a model that takes {MODEL_SECONDS} s, {CONNECTIONS} connections", HEADS, rows)
    rates, tails = ratio(new.rate, old.rate), ratio(old.p99, new.p99)
    return [
        goal("webhook's rate against the original's design", f"{rates:.1f} ×", "at least 12 ×", rates >= 12),
        goal("p99 lower than the original's design", f"{tails:.1f} ×", "at least 10 ×", tails >= 10),
    ]
