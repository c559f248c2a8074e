"""Replies while another business causes a burst: 1,000 events to a slow endpoint, or 1,000 files that take long."""

import time

from bench import conversing, database, load, stack
from bench.stack import STAND_IN, Scale
from bench.stand_in import FILE_SECONDS
from bench.tables import Goal, goal, percentile, print_table, ratio

BURST = 1000
ENDPOINT_SECONDS = 2
CUSTOMERS = 20
OTHER = "100000000000099"  # the number of the business with the burst
SENDER = "78000000000"
WAITING = {
    "events": "SELECT count(*) FROM webhook_deliveries WHERE status = 'waiting'",
    "files": "SELECT count(*) FROM attachments WHERE state = 'pending'",
}


def run(scale: Scale) -> list[Goal]:
    seconds = max(scale.seconds * 3, 10)
    alone, _ = _starts(seconds, "")
    rows: list[list[object]] = [["alone", len(alone), percentile(alone, 50), percentile(alone, 95), "", ""]]
    goals = []
    names = {
        "events": f"{BURST:,} events to an endpoint that answers in {ENDPOINT_SECONDS} s",
        "files": f"{BURST:,} files of {FILE_SECONDS} s",
    }
    for burst, name in names.items():
        found, left = _starts(seconds, burst)
        slower = ratio(percentile(found, 50), percentile(alone, 50))
        rows.append([name, len(found), percentile(found, 50), percentile(found, 95), f"{slower:.1f} ×", left])
        goals.append(
            goal(f"median start of a reply alongside {name}", f"{slower:.1f} ×", "at most 1.2 ×", slower <= 1.2)
        )
    heads = ["replies alongside", "messages", "p50 ms", "p95 ms", "of alone", "of the burst left"]
    print_table("Time until a reply starts, while another business causes a burst", heads, rows)
    return goals


def _starts(seconds: int, burst: str) -> tuple[list[float], int | str]:
    """ms from each message to the model's request, and how much of the burst is left when the measurement ends.

    A message whose reply hasn't started by then counts with the time it has waited so far.
    """
    database.empty()
    _add_other_business()
    with stack.stand_in(0.2, 0.1), stack.web(), stack.worker({"WEBHOOKS_ALLOW_PRIVATE": "true"}):
        conversing.warm_up()
        if burst:
            load.post(
                load.delivery(BURST, 0, load.new_run(), OTHER, customers=[SENDER] * BURST, picture=burst == "files")
            )
        conversing.begin(CUSTOMERS, think=1)
        time.sleep(seconds)
        counts = conversing.counts()
        starts = [value * 1000 for value in (*counts["added"], *counts["waiting"])]
        return starts, database.one(WAITING[burst]) if burst else ""


def _add_other_business() -> None:
    """A person answers its only customer, so none of the messages becomes a turn."""
    tenant = database.add_business(OTHER)
    database.objects("webhook_endpoints").create(
        tenant=tenant,
        url=f"{STAND_IN}/slow/{ENDPOINT_SECONDS}/events",
        event_types=["message.received"],
        secret="whsec_YmVuY2gtc2VjcmV0LW9mLXRoZS1lbmRwb2ludA==",
    )
    database.objects("conversations").create(
        tenant=tenant, phone_number_id=OTHER, external_id=SENDER, handled_by="operator"
    )
