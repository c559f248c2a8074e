"""The webhook: against a bare view, against itself while replies run, and in large batches."""

from bench import database, load, stack
from bench.load import Measured
from bench.stack import Scale
from bench.tables import Goal, goal, print_table, ratio

HEADS = ["", "per second", "ratio", "p50 ms", "p95 ms", "p99 ms", "errors"]
ROUNDS = 3


def row(name: str, found: Measured, other: Measured | None = None) -> list[object]:
    share = f"{ratio(found.rate, other.rate):.0%}" if other else ""
    return [name, found.rate, share, found.p50, found.p95, found.p99, found.errors]


def against_the_bare_view(scale: Scale) -> list[Goal]:
    """View and webhook take turns, so that a busy moment of the machine meets both."""
    bare, ours = [], []
    database.empty()
    for _ in range(ROUNDS):
        with stack.web("bench.peers.bare_view:application"):
            bare.append(load.webhook(scale.seconds))
        with stack.web():
            ours.append(load.webhook(scale.seconds))
    view, webhook = load.middle(bare), load.middle(ours)
    print_table(
        f"Webhook, one new message per delivery, {load.CONNECTIONS} connections",
        HEADS,
        [row("bare DRF view", view), row("webhook", webhook, view)],
    )
    rate, tail = ratio(webhook.rate, view.rate), ratio(webhook.p99, view.p99)
    figure = f"{rate:.0%} ({webhook.rate:,.0f} against {view.rate:,.0f} per second)"
    return [
        goal("webhook's rate, of a bare DRF view's", figure, "at least 45 %", rate >= 0.45),
        goal(
            "webhook's p99, of a bare DRF view's",
            f"{tail:.1f} × ({webhook.p99:.0f} ms against {view.p99:.0f} ms)",
            "at most 1.5 ×",
            tail <= 1.5,
        ),
    ]


def while_replying(scale: Scale) -> list[Goal]:
    """The same webhook alone, and while the worker answers what comes in, model and Graph without latency."""
    database.empty()
    alone, busy = [], []
    with stack.stand_in(0, 0), stack.web():
        for _ in range(2):
            alone.append(load.webhook(scale.seconds))
            database.execute("TRUNCATE procrastinate_jobs, turns CASCADE")
            with stack.worker():
                busy.append(load.webhook(scale.seconds))
            database.execute("TRUNCATE procrastinate_jobs, turns CASCADE")
    one, two = load.middle(alone), load.middle(busy)
    print_table("Webhook while replies run at full speed", HEADS, [row("alone", one), row("with replies", two, one)])
    share = ratio(two.rate, one.rate)
    return [goal("webhook's rate while replies run, of itself alone", f"{share:.0%}", "at least 60 %", share >= 0.6)]


def batches(scale: Scale) -> list[Goal]:
    """1,000 messages in one delivery, against as many deliveries of one."""
    database.empty()
    with stack.web():
        single = load.webhook(scale.seconds)
        load.wrk(load.prepare(2, 1000), 1, connections=2)
        batch = load.wrk(load.prepare(scale.seconds * 30, 1000), scale.seconds, connections=2)
    rows = [
        [f"1 message per delivery, {load.CONNECTIONS} connections", single.rate, single.p50, single.p99],
        ["1,000 messages per delivery, 2 connections", batch.rate * 1000, batch.p50, batch.p99],
    ]
    print_table("Batches", ["", "messages per second", "p50 ms", "p99 ms"], rows)
    times = ratio(batch.rate * 1000, single.rate)
    what = "1,000 messages in one delivery, messages per second against one per delivery"
    return [goal(what, f"{times:.1f} ×", "at least 15 ×", times >= 15)]
