"""The door: against a bare view, the disk, itself under replies, the former design; batches; growth."""

import os
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from whatsapp.webhook import ingest, parsing
from whatsapp.webhook.routing import Signer

from . import database, load, stack
from .load import Measured
from .stack import DATA, PEERS
from .tables import table, verdict

WARM = 1
INSERT = """\\set n random(1, 1000000000)
INSERT INTO bench_insert (words) VALUES ('Hello, do you deliver to the old town on Sunday? ' || :n);
"""


def row(name: str, found: Measured, other: Measured | None = None) -> list[object]:
    part = f"{found.rate / other.rate:.0%}" if other else ""
    return [name, found.rate, part, found.p50, found.p95, found.p99, found.errors]


HEADS = ["", "a second", "ratio", "p50 ms", "p95 ms", "p99 ms", "errors"]


def against_the_floor(seconds: int) -> Measured:
    """Floor and webhook in turn, so that a busy moment of the machine meets both."""
    floors, ours = [], []
    database.empty()
    for _ in range(3):
        with stack.web("bench.floor:application") as url:
            floors.append(measured(url, seconds))
        with stack.web() as url:
            ours.append(measured(url, seconds))
    floor, webhook = middle(floors), middle(ours)
    disk, trips = _pgbench(seconds), _round_trips()
    rows = [row("bare DRF view", floor), row("webhook", webhook, floor)]
    table("Webhook, one new message a delivery, 32 connections", HEADS, rows)
    table(
        "Webhook against its goals",
        ["goal", "measured", ""],
        [
            [
                "at least 30 % of the bare view",
                f"{webhook.rate / floor.rate:.0%}",
                verdict(webhook.rate / floor.rate >= 0.3),
            ],
            ["p99 under 100 ms", f"{webhook.p99:.0f} ms", verdict(webhook.p99 < 100)],
            ["at most 3 round trips a delivery", trips, verdict(trips <= 3)],
            [
                "(the disk) of pgbench's single-row INSERT, 32 clients",
                f"{webhook.rate / disk:.0%} of {disk:,.0f}/s",
                "",
            ],
        ],
    )
    return webhook


def measured(url: str, seconds: int, pause_ms: int = 0) -> Measured:
    load.wrk(url, load.prepare(load.CUSTOMERS), WARM)
    return load.wrk(url, load.prepare(seconds * 4000), seconds, pause_ms=pause_ms)


def middle(several: list[Measured]) -> Measured:
    return sorted(several, key=lambda found: found.rate)[len(several) // 2]


def _pgbench(seconds: int) -> float:
    """Single-row inserts a second, each committed to the disk."""
    database.execute("DROP TABLE IF EXISTS bench_insert")
    database.execute("CREATE TABLE bench_insert (id bigserial PRIMARY KEY, words text, at timestamptz DEFAULT now())")
    script = DATA / "insert.sql"
    script.write_text(INSERT)
    command = [
        stack.program("pgbench"),
        "-n",
        "-M",
        "prepared",
        "-f",
        str(script),
        "-c",
        "32",
        "-j",
        "2",
        "-T",
        str(seconds),
    ]
    environment = {**os.environ, **database.libpq()}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    database.execute("DROP TABLE bench_insert")
    found = re.search(r"tps = ([\d.]+)", done.stdout)
    return float(found[1]) if found else 0.0


def _round_trips() -> int:
    """Of one delivery from a known number; the door's bell for the workers included."""
    bodies = [load.delivery(1, serial, 900_000_000 + int(time.time()) % 1_000_000) for serial in range(12)]

    def take(body: bytes) -> Callable[[], object]:
        return lambda: ingest.accept(parsing.read(body), Signer())

    return max([database.round_trips(take(body)) for body in bodies][8:])


def while_replying(seconds: int) -> None:
    """The same door alone and while the worker answers what comes in, model and Graph at no latency."""
    database.empty()
    alone, busy = [], []
    with stack.stand_in(0, 0), stack.web() as url:
        for _ in range(2):
            alone.append(measured(url, seconds))
            database.execute("TRUNCATE procrastinate_jobs, turns CASCADE")
            with stack.worker():
                busy.append(measured(url, seconds))
            database.execute("TRUNCATE procrastinate_jobs, turns CASCADE")
    one, two = middle(alone), middle(busy)
    table("Webhook while replies run at full speed", HEADS, [row("alone", one), row("with replies", two, one)])
    print(f"Goal: at least 60 % of itself alone: {verdict(two.rate / one.rate >= 0.6)}.")


@contextmanager
def _original() -> Iterator[str]:
    environment = {"BENCH_DATABASE": database.url(), "PYTHONPATH": str(stack.PROJECT)}
    subprocess.run([PEERS, "bench/original.py"], cwd=stack.PROJECT, env={**os.environ, **environment}, check=True)
    with stack.web("bench.original:application", python=PEERS, **environment) as url:
        yield url


def against_the_original(seconds: int) -> None:
    if not PEERS.exists():
        print("The former design needs .venv-bench: run `make bench`.")
        return
    database.empty()
    with stack.stand_in(1, 0.1), _original() as url:
        old = measured(url, max(seconds, 8))
    with stack.stand_in(1, 0.1), stack.web() as url, stack.worker():
        new = measured(url, seconds)
    database.empty()
    with stack.stand_in(1, 0.1), stack.web() as url, stack.worker():
        # As many deliveries as the former design took: each connection waits as long as it waited there.
        same = measured(url, max(seconds, 8), pause_ms=round(old.p50))
    rows = [
        row("everything inside the request", old),
        row("Parley, all it takes", new),
        row("Parley, the same load", same),
    ]
    table("Webhook with a model that takes 1 s", HEADS, rows)
    rates, tails = new.rate / max(old.rate, 0.01), old.p99 / same.p99
    table(
        "Against the former design",
        ["goal", "measured", ""],
        [
            ["at least 10 times its rate", f"{rates:.0f} ×", verdict(rates >= 10)],
            ["p99 at least 20 times lower (at the same load)", f"{tails:.0f} ×", verdict(tails >= 20)],
        ],
    )


def batches(seconds: int) -> None:
    """1,000 messages in one delivery against as many deliveries of one, messages a second."""
    database.empty()
    with stack.web() as url:
        single = measured(url, seconds)
        load.wrk(url, load.prepare(2, 1000), 1, connections=2)
        batch = load.wrk(url, load.prepare(seconds * 30, 1000), seconds, connections=2)
    ratio = batch.rate * 1000 / single.rate
    rows = [
        ["1 message a delivery, 32 connections", single.rate, single.p50, single.p99],
        ["1,000 messages a delivery, 2 connections", batch.rate * 1000, batch.p50, batch.p99],
    ]
    table("Batches", ["", "messages a second", "p50 ms", "p99 ms"], rows)
    print(f"Goal: at least 5 times the messages a second: {ratio:.1f} ×, {verdict(ratio >= 5)}.")
