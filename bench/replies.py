"""Replies end to end: how many a second, how many at once, how much memory each, how much time Parley adds."""

import json
import os
import time
import urllib.request
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import database, stack
from .tables import percentile, table, verdict

CONVERSATIONS = 500
WARM = 5
LONGEST_RUSH = 60


@dataclass(frozen=True)
class Replies:
    rate: float
    most_in_flight: int
    kilobytes: float  # that the workers grew by, for each call in flight at most
    added: list[float]  # ms between the customer's message and the model's request
    processor_ms: float  # of the workers, for each reply: what limits them on a machine that is not busy otherwise


def end_to_end(seconds: int) -> None:
    """Model 1 s, Graph 0.1 s, 500 customers who each write again when the reply is there."""
    found = [measure(count, seconds, model=1, graph=0.1) for count in (1, 2)]
    rows = [
        [
            *(count, part.rate, part.most_in_flight, part.kilobytes, part.processor_ms),
            *(percentile(part.added, 50), percentile(part.added, 99)),
        ]
        for count, part in zip((1, 2), found, strict=True)
    ]
    heads = [
        "worker processes",
        "replies a second",
        "most calls in flight",
        "KB a call",
        "processor ms a reply",
        "added p50 ms",
        "added p99 ms",
    ]
    table(f"Replies end to end, model 1 s, Graph 0.1 s, {CONVERSATIONS} conversations", heads, rows)
    one = found[0]
    table(
        "Replies against their goals (one process)",
        ["goal", "measured", ""],
        [
            ["at least 100 replies a second", one.rate, verdict(one.rate >= 100)],
            ["at least 300 model calls in flight", one.most_in_flight, verdict(one.most_in_flight >= 300)],
            ["memory under 100 KB a call in flight", one.kilobytes, verdict(one.kilobytes < 100)],
        ],
    )


def added(seconds: int = 15) -> None:
    """20 customers who think a second between reply and message: the machine has time to spare."""
    found = measure(1, seconds, model=0.2, graph=0.1, customers=20, think=1).added
    p50, p95, p99 = (percentile(found, part) for part in (50, 95, 99))
    table(
        "Time added between the customer's message and the model's request, quiet time 0",
        ["messages", "p50 ms", "p95 ms", "p99 ms", "p50 < 25 ms", "p95 < 60 ms"],
        [[len(found), p50, p95, p99, verdict(p50 < 25), verdict(p95 < 60)]],
    )


def workers(seconds: int) -> None:
    found = [(count, measure(count, seconds, model=0, graph=0)) for count in (1, 2, 4)]
    first = max(found[0][1].rate, 0.01)
    rows = [[count, part.rate, f"{part.rate / first:.2f} ×", part.processor_ms] for count, part in found]
    heads = ["processes", "replies a second", "of one", "processor ms a reply"]
    table("Workers, model and Graph at no latency", heads, rows)


def measure(
    processes: int, seconds: int, model: float, graph: float, customers: int = CONVERSATIONS, think: float = 0
) -> Replies:
    database.empty()
    with ExitStack() as stage:
        stage.enter_context(stack.stand_in(model, graph))
        stage.enter_context(stack.web())
        pids = [stage.enter_context(stack.worker()) for _ in range(processes)]
        _customers(5, 0.2)  # everything has been imported and connected before memory is looked at
        time.sleep(WARM)
        idle = sum(map(_resident, pids))
        began = _counts()["graph"]
        _customers(customers, think)
        _wait_for_replies(began + customers)
        before, began, spent = _counts(), time.monotonic(), sum(map(_processor, pids))
        time.sleep(seconds)
        after, took = _counts(), time.monotonic() - began
        spent = sum(map(_processor, pids)) - spent
        grown = sum(map(_peak, pids)) - idle
    if after["refused"]:
        print(f"{after['refused']} deliveries were refused and came again")
    return Replies(
        rate=(after["graph"] - before["graph"]) / took,
        processor_ms=spent / max(after["graph"] - before["graph"], 1),
        most_in_flight=after["most_in_flight"],
        kilobytes=grown / max(after["most_in_flight"], 1),
        added=[value * 1000 for value in after["added"][len(before["added"]) :]],
    )


def _wait_for_replies(count: int) -> None:
    """Everybody was answered once: what follows is the steady state, not the first rush."""
    end = time.monotonic() + LONGEST_RUSH
    while _counts()["graph"] < count and time.monotonic() < end:
        time.sleep(0.5)


def _customers(count: int, think: float) -> None:
    asked = json.dumps({"count": count, "think": think}).encode()
    urllib.request.urlopen(f"http://127.0.0.1:{stack.STAND_IN_PORT}/customers", asked, timeout=30).read()


def _counts() -> dict[str, Any]:
    with urllib.request.urlopen(f"http://127.0.0.1:{stack.STAND_IN_PORT}/counts", timeout=30) as answer:
        counts: dict[str, Any] = json.load(answer)
    return counts


def _resident(pid: int) -> float:
    return _status(pid, "VmRSS")


def _peak(pid: int) -> float:
    return _status(pid, "VmHWM")


def _processor(pid: int) -> float:
    """ms of processor time so far."""
    numbers = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(numbers[11]) + int(numbers[12])) * 1000 / os.sysconf("SC_CLK_TCK")


def _status(pid: int, name: str) -> float:
    """KB of memory that the process holds, or held at most."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return float(next(line.split()[1] for line in lines if line.startswith(name)))
