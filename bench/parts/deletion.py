"""Deleting much while customers write: retention, a whole business, and one person with 10,000 messages."""

import time
from collections.abc import Callable

from bench import database, load, stack
from bench.load import Measured
from bench.stack import NUMBER, NUMBERS, Scale
from bench.tables import Goal, goal, print_table, ratio
from privacy import erasing, people
from tenants import deletion
from tenants.models import Tenant

from . import growth

MESSAGES = 1_000_000
PER_CONVERSATION = 50
OF_ONE_PERSON = 10_000
PERSON = "79999999999"
CONNECTIONS = 4  # customers who write, not an overload
MOST_SECONDS = 3600


def run(scale: Scale) -> list[Goal]:
    messages = MESSAGES // scale.divisor
    database.empty()
    growth.fill(messages, messages // PER_CONVERSATION)
    big = NUMBERS[1]
    growth.fill(messages, messages // PER_CONVERSATION, big)
    with stack.stand_in(0.2, 0.05), stack.web(), stack.worker():
        normal = load.middle([load.webhook(scale.seconds, CONNECTIONS) for _ in range(3)])
        found = {
            f"retention of {messages:,} messages": _during(
                scale.seconds,
                lambda: database.objects("retention_policies").create(tenant_id=_tenant(NUMBER), messages_days=30),
                "SELECT count(*) FROM retention_policies WHERE next_at <= now()",
            ),
            f"deletion of a business with {messages:,} messages": _during(
                scale.seconds,
                lambda: deletion.request([_tenant(big)]),
                "SELECT count(*) FROM tenants WHERE deletion_requested_at IS NOT NULL",
            ),
        }
    rows: list[list[object]] = [["normal", "", normal.rate, normal.p50, normal.p99, "", normal.errors]]
    goals = []
    for name, (measured, seconds) in found.items():
        worst = max(measured, key=lambda each: each.p99)
        middle = load.middle(measured)
        slower = ratio(middle.p99, normal.p99)
        rows.append([name, seconds, middle.rate, middle.p50, middle.p99, worst.p99, sum(m.errors for m in measured)])
        goals.append(goal(f"webhook's p99 during {name}, of normal", f"{slower:.1f} ×", "at most 1.5 ×", slower <= 1.5))
    heads = ["", "took s", "deliveries per second", "p50 ms", "p99 ms", "worst p99 ms", "errors"]
    print_table(f"The webhook while much is deleted, {CONNECTIONS} connections", heads, rows)
    return [*goals, _erasure()]


def _tenant(number: str) -> int:
    found: int = database.one("SELECT tenant_id FROM whatsapp_accounts WHERE phone_number_id = %s", number)
    return found


def _during(seconds: int, begin: Callable[[], object], left: str) -> tuple[list[Measured], float]:
    """The webhook again and again until nothing is left, and how long that took."""
    began = time.monotonic()
    found: list[Measured] = []
    begin()
    while not found or (database.one(left) and time.monotonic() - began < MOST_SECONDS):
        found.append(load.webhook(seconds, CONNECTIONS))
    if database.one(left):
        raise SystemExit(f"Not finished after {MOST_SECONDS} s.")
    return found, time.monotonic() - began


def _erasure() -> Goal:
    tenant = Tenant.objects.get(pk=_tenant(NUMBER))
    talk = database.objects("conversations").create(tenant=tenant, phone_number_id=NUMBER, external_id=PERSON)
    database.execute(
        "INSERT INTO conversation_messages (conversation_id, role, text, raw_json)"
        " SELECT %s, 'user', 'planted ' || n, '{}' FROM generate_series(1, %s) n",
        talk.pk,
        OF_ONE_PERSON,
    )
    person = people.find(tenant, PERSON)
    if person is None:
        raise SystemExit("The person wasn't found.")
    began = time.monotonic()
    erasing.request(person, None)
    while erasing.erase_some():
        pass
    took = time.monotonic() - began
    left = database.one("SELECT count(*) FROM conversation_messages WHERE text LIKE 'planted %%'")
    print_table("Erasing a person", ["messages", "took s", "left"], [[OF_ONE_PERSON, took, left]])
    what = f"erasing a person with {OF_ONE_PERSON:,} messages"
    return goal(what, f"{took:.1f} s, {left} left", "at most 60 s, 0 left", took <= 60 and left == 0)
