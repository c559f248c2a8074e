"""Replies end to end: rate, CPU, calls in flight, memory, latency; against a bare loop that does the same."""

import contextlib
from collections.abc import Iterator

from bench import conversing, database, stack
from bench.conversing import CONVERSATIONS, GRAPH_SECONDS, HEADS, MODEL_SECONDS
from bench.stack import Scale
from bench.tables import Goal, goal, percentile, print_table, ratio

SLOW_MODEL_SECONDS = 5
CUSTOMERS_IN_FLIGHT = 600


@contextlib.contextmanager
def bare_loop() -> Iterator[int]:
    with stack.peer("-m", "bench.peers.bare_loop", environment={"BENCH_DATABASE": database.url()}) as pid:
        yield pid


def steady(scale: Scale) -> list[Goal]:
    """500 customers who each write again as soon as the reply is there."""
    seconds = scale.seconds * 2
    one = conversing.measure(seconds)
    bare = conversing.measure(seconds, workers=[bare_loop])
    two = conversing.measure(seconds, workers=[stack.worker] * 2)
    rows = [one.row("one worker"), two.row("two workers"), bare.row("a bare loop")]
    title = f"Replies: model {MODEL_SECONDS} s, Graph {GRAPH_SECONDS} s, {CONVERSATIONS} conversations"
    print_table(title, HEADS, rows)
    times, first = ratio(one.cpu, bare.cpu), percentile(one.first, 50)
    return [
        goal("worker CPU per reply", f"{one.cpu:.1f} ms", "at most 4 ms", one.cpu <= 4),
        goal("worker CPU per reply, of a bare loop's", f"{times:.1f} ×", "at most 2.5 ×", times <= 2.5),
        goal("replies per second, one worker", f"{one.rate:.0f}", "at least 200", one.rate >= 200),
        goal(f"first reply, {CONVERSATIONS} conversations at once", f"{first:.1f} s", "median at most 4 s", first <= 4),
    ]


def in_flight(scale: Scale) -> list[Goal]:
    """How many calls one process holds open at a time when the model is slow."""
    found = conversing.measure(
        scale.seconds + 2 * SLOW_MODEL_SECONDS, model=SLOW_MODEL_SECONDS, customers=CUSTOMERS_IN_FLIGHT
    )
    title = f"Calls in flight: model {SLOW_MODEL_SECONDS} s, {CUSTOMERS_IN_FLIGHT} conversations"
    print_table(title, HEADS, [found.row("one worker")])
    most, size = found.most_in_flight, found.kilobytes
    return [
        goal("model calls in flight in one process", str(most), "at least 400", most >= 400),
        goal("memory per model call in flight", f"{size:.0f} KB", "under 60 KB", size < 60),
    ]


def latency(scale: Scale) -> list[Goal]:
    """20 customers who think for a second between reply and message: the machine has time to spare."""
    added = conversing.measure(scale.seconds * 3, model=0.2, customers=20, think=1).added
    p50, p95, p99 = (percentile(added, part) for part in (50, 95, 99))
    title = "Latency added between the customer's message and the model's request, quiet time 0"
    print_table(title, ["messages", "p50 ms", "p95 ms", "p99 ms"], [[len(added), p50, p95, p99]])
    return [
        goal("latency added before the model's request, p50", f"{p50:.0f} ms", "at most 15 ms", p50 <= 15),
        goal("latency added before the model's request, p95", f"{p95:.0f} ms", "at most 40 ms", p95 <= 40),
    ]


def workers(scale: Scale) -> list[Goal]:
    """Several worker processes on this machine; model and Graph without latency."""
    sizes = (1, 2, 4)
    found = [conversing.measure(scale.seconds, workers=[stack.worker] * size, model=0, graph=0) for size in sizes]
    rows = [[n, part.rate, ratio(part.rate, found[0].rate), part.cpu] for n, part in zip(sizes, found, strict=True)]
    heads = ["worker processes", "replies per second", "of one", "CPU ms per reply"]
    print_table("Workers, model and Graph without latency", heads, rows)
    return []
