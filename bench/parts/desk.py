"""The desk's pages and search with 100,000 conversations and 1,000,000 messages, and again with next to nothing.

A request is timed from the first line of the view to the last byte of the page, in this process: Django's own client,
signed in as the business's owner. It leaves out the network and the browser.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from bench import database
from bench.stack import NUMBER, Scale
from bench.tables import Goal, goal, percentile, print_table

ALL = (100_000, 1_000_000)  # conversations, messages
LONG = 100_000  # messages of one conversation more
RENDER, SEARCH = 200, 300  # milliseconds
LIST = "/admin/conversations/conversation/"
# Words of the messages: one in 16 has the first, one in 1,000 the second, one alone the third.
FREQUENT, SELDOM, ONCE = "strawberry", "marzipan", "quinquagesima"

_CONVERSATIONS = """
INSERT INTO conversations (tenant_id, phone_number_id, external_id, contact_name, last_inbound_at, last_message_at)
SELECT %(tenant)s, %(number)s, (49150000000 + n)::text, 'Customer ' || n, at, at
FROM generate_series(1, %(conversations)s) n, LATERAL (SELECT now() - n * interval '30 seconds' AS at) clock
"""
_MESSAGES = """
SELECT c.id, side.role, side.origin, 'Do you have cake number ' || n || ' for ' || (n %% 97) || ' people?'
    || CASE WHEN hashint4(n) %% 16 = 0 THEN ' With strawberry.' ELSE '' END
    || CASE WHEN hashint4(n) %% 1000 = 0 THEN ' And marzipan.' ELSE '' END
    || CASE WHEN n = 777777 / %(part)s THEN ' For quinquagesima.' ELSE '' END,
    c.last_message_at - ((n / %(conversations)s) * interval '7 minutes'), side.status
FROM generate_series(0, %(messages)s - 1) n
JOIN conversations c ON c.external_id = (49150000001 + n %% %(conversations)s)::text
JOIN (VALUES (0, 'user', 'customer', ''), (1, 'assistant', 'assistant', 'read')) side(which, role, origin, status)
    ON side.which = n / %(conversations)s %% 2
"""
_LONG = """
SELECT %(long)s, CASE n %% 2 WHEN 0 THEN 'user' ELSE 'assistant' END, CASE n %% 2 WHEN 0 THEN 'customer'
    ELSE 'assistant' END, 'Message ' || n || ' of a long friendship', now() - n * interval '1 minute',
    CASE n %% 2 WHEN 0 THEN '' ELSE 'read' END
FROM generate_series(1, %(messages)s) n
"""
_INTO = "INSERT INTO conversation_messages (conversation_id, role, origin, text, created_at, status)"


@dataclass(frozen=True)
class Page:
    name: str
    url: str
    goal: int  # milliseconds


def run(scale: Scale) -> list[Goal]:
    rounds = scale.seconds * 4
    call_command("collectstatic", interactive=False, verbosity=0)  # as in production, the pages name its files
    conversations, messages = (number // scale.divisor for number in ALL)
    few, _ = _loaded(10, 100, 100, scale.divisor, rounds)
    many, took = _loaded(conversations, messages, LONG // scale.divisor, scale.divisor, rounds)
    rows: list[list[object]] = []
    slow, growing = [], []
    for page in _pages():
        (_, small), (times, large) = few[page.name], many[page.name]
        p50 = percentile(times, 50)
        rows.append([page.name, small, large, min(times), p50, percentile(times, 95), f"{page.goal} ms"])
        if p50 >= page.goal:
            slow.append(page.name)
        if large > small + 1:
            growing.append(page.name)
    heads = ["", "queries, small", "queries, large", "best ms", "p50 ms", "p95 ms", "goal (p50)"]
    title = f"The desk: {conversations:,} conversations, {messages:,} messages, and one of {LONG // scale.divisor:,}"
    print_table(f"{title}; loaded in {took:.0f} s", heads, rows)
    return [
        goal(f"{len(rows)} pages of the desk (p50)", f"slow: {', '.join(slow) or 'none'}", "see the table", not slow),
        goal("their queries", f"more: {', '.join(growing) or 'none'}", "no more with more rows", not growing),
    ]


Loaded = dict[str, tuple[list[float], int]]  # page -> ms of each request, queries


def _loaded(conversations: int, messages: int, long: int, divisor: int, rounds: int) -> tuple[Loaded, float]:
    """Ask for all pages with this many rows; and the seconds it took to load them."""
    database.empty()
    person = _owner()
    began = time.monotonic()
    fill(conversations, messages, long, divisor)
    took = time.monotonic() - began
    return {page.name: _asked(person, page, rounds) for page in _pages()}, took


def tenant() -> int:
    return int(database.one("SELECT tenant_id FROM whatsapp_accounts WHERE phone_number_id = %s", NUMBER))


def _owner() -> User:
    user, _ = User.objects.get_or_create(username="bench-owner", defaults={"is_staff": True})
    database.objects("memberships").create(user=user, tenant_id=tenant(), role="owner")
    return user


def fill(conversations: int, messages: int, long: int, part: int) -> None:
    values: dict[str, Any] = {"conversations": conversations, "messages": messages, "number": NUMBER, "part": part}
    values["tenant"] = tenant()
    words = database.one("SELECT indexdef FROM pg_indexes WHERE indexname = 'message_search'")
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
        cursor.execute("DROP INDEX message_search")  # recreated afterwards, which takes a tenth of the time
        cursor.execute(_CONVERSATIONS, values)
        cursor.execute("ANALYZE conversations")
        cursor.execute(f"{_INTO} {_MESSAGES}", values)
        values |= {"long": _long(), "messages": long}
        cursor.execute(f"{_INTO} {_LONG}", values)
        cursor.execute(words)
        cursor.execute("RESET statement_timeout")
    database.execute("VACUUM (ANALYZE) conversations, conversation_messages")
    database.execute("CHECKPOINT")


def _long() -> int:
    """One of the newest has the many messages: each walk down the list comes across it."""
    return int(database.one("SELECT id FROM conversations ORDER BY last_message_at DESC OFFSET 5 LIMIT 1"))


def _pages() -> list[Page]:
    long = _long()
    change = f"{LIST}{long}/change/"
    middle = database.one(
        "SELECT id FROM conversation_messages WHERE conversation_id = %s ORDER BY created_at DESC OFFSET 50 LIMIT 1",
        long,
    )
    oldest = database.one(
        "SELECT id FROM conversation_messages WHERE conversation_id = %s ORDER BY created_at OFFSET 49 LIMIT 1", long
    )
    return [
        Page("list, newest page", LIST, RENDER),
        Page("list, tenth page", f"{LIST}?p=10", RENDER),
        Page("list, what needs an agent", f"{LIST}?tab=needs", RENDER),
        Page("transcript of the long one, newest", change, RENDER),
        Page("transcript of the long one, an older page", f"{change}?before={middle}", RENDER),
        Page("transcript of the long one, the oldest page", f"{change}?before={oldest}", RENDER),
        Page("a live update of the long one, everything", f"{LIST}{long}/live/", RENDER),
        *(
            Page(f"search: {what}", f"{LIST}?q={word}", SEARCH)
            for what, word in [
                ("a word that one message has", ONCE),
                ("a word of one message in 1,000", SELDOM),
                ("a word of one in 16", FREQUENT),
                ("a word of all", "cake"),
                ("two words", f"{SELDOM}+{FREQUENT}"),
                ("a number", "49150000007"),
                ("a part of a number", "0000007"),
                ("a name", "Customer+7"),
                ("nothing found", "zzyzx"),
            ]
        ),
    ]


def _asked(person: User, page: Page, rounds: int) -> tuple[list[float], int]:
    """The ms of each request, and how many queries one makes."""
    client = Client(headers={"host": "127.0.0.1"})
    client.force_login(person)

    def ask() -> None:
        response = client.get(page.url, secure=True)
        assert response.status_code == 200, f"{page.name}: {response.status_code}"

    ask()
    times = [_timed(ask) for _ in range(rounds)]
    with CaptureQueriesContext(connection) as queries:
        ask()
    return times, len(queries)


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1000
