"""Statements to claim, close, send and record a batch of replies, counted between the worker and PostgreSQL.

A worker is idle; one delivery brings many messages, each from another customer and due at once. What the worker
executes until the last reply is recorded is counted by a proxy (`bench/proxy.py`). Statements that an idle worker
also executes count only where they affect more rows than when idle: a claim that finds turns does, a look for work
that finds none doesn't. Periodic work drops out, since each size is counted several times and only what was executed
every time remains. BEGIN and COMMIT are statements too.

A batch is one round through the engine, and a burst may take several rounds, since answers don't arrive all at once.
So there are two figures besides the total: how many different statements were executed, and how often the most
frequent one was. When working in sets, the first is the same for each size, and the second is the number of rounds,
not of replies.
"""

import functools
import operator
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack

from bench import database, load, proxy, stack
from bench.proxy import Executed
from bench.stack import NUMBERS, PROXY_PORT, Scale
from bench.tables import Goal, goal, print_table

SIZES = (1, 50, 200)
ROUNDS = 3
IDLE_SECONDS = 5
LONGEST = 180
RECORDED = """
SELECT count(*) FROM conversation_messages
WHERE role = 'assistant' AND status NOT IN ('queued', 'sending') AND external_id IS NOT NULL
"""


def run(scale: Scale) -> list[Goal]:
    database.empty()
    known = database.libpq()
    user, password = known.get("PGUSER", ""), known.get("PGPASSWORD", "")
    url = f"postgres://{user}:{password}@127.0.0.1:{PROXY_PORT}/{known['PGDATABASE']}?sslmode=disable"
    with ExitStack() as started:
        started.enter_context(stack.stand_in(0.5, 0.1))
        started.enter_context(stack.web())
        executed = started.enter_context(
            proxy.counting(PROXY_PORT, known.get("PGHOST", ""), known.get("PGPORT", "5432"))
        )
        started.enter_context(stack.worker({"DATABASE_URL": url, "PGGSSENCMODE": "disable"}))
        for _ in range(6):  # a statement is prepared after its fifth execution
            _replies(4)
        idle = _idle(executed)
        found = {
            size: functools.reduce(operator.and_, (_counted(executed, idle, size) for _ in range(ROUNDS)))
            for size in SIZES
        }
    rows = [[size, c.total(), len(c), max(c.values()), c.total() / size] for size, c in found.items()]
    heads = ["replies", "statements", "different ones", "most frequent one", "statements per reply"]
    print_table("Statements to claim, close, send and record", heads, rows)
    _print_all(found)
    kinds = [len(counted) for counted in found.values()]
    often = max(found[SIZES[-1]].values())
    return [
        goal(
            "statements for one reply, and different ones for 50 and 200",
            f"{found[1].total()}; {', '.join(map(str, kinds[1:]))}",
            "at most 12, the same for each",
            found[1].total() <= 12 and max(kinds) <= max(12, kinds[0]),
        ),
        goal(
            f"most frequent statement for {SIZES[-1]} replies",
            f"executed {often} times",
            f"less than {SIZES[-1] // 4}: in sets",
            often < SIZES[-1] // 4,
        ),
    ]


def _replies(count: int) -> None:
    """Customers write to several businesses at once; wait until all replies are recorded."""
    before = database.one(RECORDED)
    for position, number in enumerate(NUMBERS):
        if size := count // len(NUMBERS) + (position < count % len(NUMBERS)):
            load.post(load.delivery(size, 0, load.new_run(), number))
    end = time.monotonic() + LONGEST
    while database.one(RECORDED) < before + count:
        if time.monotonic() > end:
            raise SystemExit(f"{count} replies weren't recorded within {LONGEST} s; see {stack.DATA}/*.log")
        time.sleep(0.05)
    time.sleep(0.5)


def _idle(executed: list[Executed]) -> dict[str, int]:
    """The statements of a worker without work, and the most rows that one affected."""
    begin = len(executed)
    time.sleep(IDLE_SECONDS)
    rows: dict[str, int] = {}
    for one in executed[begin:]:
        rows[one.statement] = max(rows.get(one.statement, 0), one.rows)
    return rows


def _counted(executed: list[Executed], idle: dict[str, int], size: int) -> Counter[str]:
    begin = len(executed)
    _replies(size)
    return Counter(_of_replies(executed[begin:], idle))


def _of_replies(executed: list[Executed], idle: dict[str, int]) -> Iterator[str]:
    """What isn't executed when idle; BEGIN and COMMIT where there's such a statement between them."""
    found: Counter[int] = Counter()  # in each session's transaction
    for one in executed:
        if one.statement.startswith("BEGIN"):
            found[one.session] = 0
        elif one.statement in ("COMMIT", "ROLLBACK"):
            if found.pop(one.session, 0):
                yield from ("BEGIN", one.statement)
        elif one.rows > idle.get(one.statement, -1):
            found[one.session] += 1
            yield one.statement


def _print_all(found: dict[int, Counter[str]]) -> None:
    every = sorted(set().union(*found.values()), key=lambda statement: -found[SIZES[-1]][statement])
    heads = ["statement", *(f"{size} replies" for size in SIZES)]
    rows = [[_short(statement), *(found[size][statement] for size in SIZES)] for statement in every]
    print_table("The same, one by one", heads, rows)


def _short(statement: str) -> str:
    shown = statement.replace("|", "\\|")
    return shown if len(shown) <= 100 else f"{shown[:70]} … {shown[-27:]}"
