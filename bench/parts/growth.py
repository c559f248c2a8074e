"""Growth: the webhook and the history again with millions of messages in the table, loaded by COPY."""

import itertools
import time

from django.db import connection
from tqdm import tqdm

from bench import database, load, stack
from bench.stack import NUMBER, Scale
from bench.tables import Goal, goal, percentile, print_table, ratio
from conversations.history.messages import get_or_create_conversation

from . import history

ALL = (10_000_000, 200_000)  # messages, conversations
FIRST = 79_000_000_000  # the customers of `load` are the first of them
BATCH = 100_000


def fill(messages: int, conversations: int, number: str = NUMBER) -> float:
    """Load them for the business with this number, and return the seconds it took."""
    began = time.monotonic()
    connection.ensure_connection()
    tenant = database.one("SELECT tenant_id FROM whatsapp_accounts WHERE phone_number_id = %s", number)
    database.execute(
        "INSERT INTO conversations (tenant_id, phone_number_id, external_id, last_inbound_at, last_message_at)"
        " SELECT %s, %s, (%s + n)::text, now(), now() FROM generate_series(0, %s - 1) n",
        tenant,
        number,
        FIRST,
        conversations,
    )
    ids = [pk for (pk,) in database.rows("SELECT id FROM conversations WHERE tenant_id = %s ORDER BY id", tenant)]
    columns = "conversation_id, role, origin, text, raw_json, external_id, created_at, status"
    raw = '{"type": "text", "text": {"body": "Hello, do you deliver on Sunday?"}}'
    for start in tqdm(range(0, messages, BATCH), desc="loading", unit_scale=BATCH, unit=" messages"):
        with (
            connection.cursor() as cursor,
            cursor.cursor.copy(f"COPY conversation_messages ({columns}) FROM STDIN") as copy,
        ):
            lines = []
            for n in range(start, min(start + BATCH, messages)):
                side, status = (("user\tcustomer", ""), ("assistant\tassistant", "read"))[n // len(ids) % 2]
                at = time.strftime("%Y-%m-%d %H:%M:%S+00", time.gmtime(1_750_000_000 + n))
                text = f"Hello, do you deliver order {n} to the old town on Sunday?"
                lines.append(f"{ids[n % len(ids)]}\t{side}\t{text}\t{raw}\twamid.grown{n}\t{at}\t{status}\n")
            copy.write("".join(lines))
    database.execute("VACUUM (ANALYZE) conversations, conversation_messages")
    database.execute("CHECKPOINT")
    return time.monotonic() - began


def run(scale: Scale) -> list[Goal]:
    messages, conversations = (number // scale.divisor for number in ALL)
    database.empty()
    empty = _both(scale.seconds)
    database.empty()
    took = fill(messages, conversations)
    full = _both(scale.seconds)
    rate, slower = ratio(full[0], empty[0]), ratio(full[1], empty[1])
    rows: list[list[object]] = [
        ["webhook, deliveries per second", empty[0], full[0], f"{rate:.0%}"],
        ["add a message and load the last 20, p50 ms", empty[1], full[1], f"{slower:.0%}"],
    ]
    title = f"Growth: {messages:,} messages in {conversations:,} conversations, loaded in {took:.0f} s"
    print_table(title, ["", "empty", f"{messages:,} messages", "ratio"], rows)
    return [
        goal(f"webhook's rate with {messages:,} messages, of itself empty", f"{rate:.0%}", "within 20 %", rate >= 0.8),
        goal(f"history with {messages:,} messages, of itself empty", f"{slower:.2f} ×", "within 20 %", slower <= 1.2),
    ]


def _both(seconds: int) -> tuple[float, float]:
    """Deliveries per second, and ms to add a message and load the last 20."""
    with stack.web():
        rate = load.middle([load.webhook(seconds) for _ in range(3)]).rate
    times = itertools.chain.from_iterable(
        history.times_of(get_or_create_conversation(None, "grown", str(n)).pk, 40, least=1) for n in range(5)
    )
    return rate, percentile(list(times), 50)
