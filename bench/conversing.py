"""Customers converse with a system: how many replies per second, at what cost, how soon."""

import json
import time
import urllib.request
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from . import database, processes, stack
from .stack import Web, Worker
from .tables import percentile

CONVERSATIONS = 500
MODEL_SECONDS, GRAPH_SECONDS = 1, 0.1
WARM_CUSTOMERS, WARM_SECONDS = 5, 3
FEWEST = 50  # replies that a rate is measured by
LONGEST = 120


@dataclass(frozen=True)
class Replies:
    rate: float
    cpu: float  # ms of the workers, per reply
    most_in_flight: int
    kilobytes: float  # by which the workers grew, per model call in flight
    added: list[float]  # ms from a customer's message to the model's request
    first: list[float]  # seconds from a customer's first message to its reply, all customers beginning at once

    @property
    def per_core(self) -> float:
        """Replies per second that one core could make if it did nothing else."""
        return 1000 / self.cpu if self.cpu else 0

    def row(self, name: str) -> list[object]:
        return [name, self.rate, self.cpu, self.most_in_flight, self.kilobytes, percentile(self.first, 50)]


HEADS = ["", "replies per second", "CPU ms per reply", "calls in flight", "KB per call", "first reply, median s"]


def measure(
    seconds: int,
    *,
    workers: Sequence[Worker] = (stack.worker,),
    web: Web = stack.web,
    model: float = MODEL_SECONDS,
    graph: float = GRAPH_SECONDS,
    customers: int = CONVERSATIONS,
    think: float = 0,
) -> Replies:
    """The steady state: each customer writes again `think` seconds after the reply."""
    database.empty()
    with ExitStack() as started:
        started.enter_context(stack.stand_in(model, graph))
        started.enter_context(web())
        pids = [started.enter_context(worker()) for worker in workers]
        warm_up()
        idle = sum(map(processes.resident, pids))
        begin(customers, think)
        _wait_for("first", customers)  # the first rush is over
        before, began, spent = counts(), time.monotonic(), sum(map(processes.cpu, pids))
        time.sleep(seconds)
        _wait_for("graph", before["graph"] + FEWEST)
        after, took = counts(), time.monotonic() - began
        spent = sum(map(processes.cpu, pids)) - spent
        grown = sum(map(processes.peak, pids)) - idle
    if after["refused"]:
        print(f"{after['refused']} deliveries were refused and repeated")
    replies = after["graph"] - before["graph"]
    if not replies:
        raise SystemExit(f"no reply was sent; see {stack.DATA}/*.log")
    return Replies(
        rate=replies / took,
        cpu=spent / replies,
        most_in_flight=after["most_in_flight"],
        kilobytes=grown / max(after["most_in_flight"], 1),
        added=[value * 1000 for value in after["added"][len(before["added"]) :]],
        first=list(after["first"].values()),
    )


def warm_up() -> None:
    """A few replies, so that everything is imported and connected before anything is measured."""
    begin(WARM_CUSTOMERS, 0.2)
    _wait_for("first", WARM_CUSTOMERS)
    time.sleep(WARM_SECONDS)


def begin(count: int, think: float) -> None:
    """Have this many customers write, and again `think` seconds after each reply. The counts start at zero again."""
    body = json.dumps({"count": count, "think": think}).encode()
    urllib.request.urlopen(f"{stack.STAND_IN}/customers", body, timeout=30).read()


def counts() -> dict[str, Any]:
    with urllib.request.urlopen(f"{stack.STAND_IN}/counts", timeout=30) as answer:
        found: dict[str, Any] = json.load(answer)
    return found


def _wait_for(what: str, count: int) -> None:
    """Wait until the stand-in has counted this many, with a limit for machines that are too busy."""
    end = time.monotonic() + LONGEST
    while _size(counts()[what]) < count and time.monotonic() < end:
        time.sleep(0.2)


def _size(counted: Any) -> int:
    return counted if isinstance(counted, int) else len(counted)
