"""A hundred open desks on 100,000 conversations: what their polling costs the web processes.

Each desk is another member of the business, with another conversation open, and polls as often as the page's script.
It's measured while nothing happens, and while customers write: then every desk of the business gets the changed parts.
"""

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from threading import Event, Thread

import aiohttp
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client

from bench import database, processes, stack
from bench.parts.desk import ALL, LIST, LONG, fill, tenant
from bench.stack import Scale
from bench.tables import Goal, goal, percentile, print_table
from conversations.history.messages import add_conversation_message

DESKS = 100
EVERY = 1.75  # seconds, as in inbox.js
CORES = 2
GOAL = 15  # percent of them
MESSAGES_PER_SECOND = [0.0, 0.2]


@dataclass
class Polls:
    """The polls of all desks."""

    statuses: Counter[int] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)


def run(scale: Scale) -> list[Goal]:
    database.empty()
    fill(ALL[0] // scale.divisor, ALL[1] // scale.divisor, LONG // scale.divisor, scale.divisor)
    newest = database.rows("SELECT id FROM conversations ORDER BY last_message_at DESC LIMIT %s", DESKS)
    conversations = [pk for (pk,) in newest]
    desks = list(zip(_cookies(), conversations, strict=True))
    rows: list[list[object]] = []
    shares = []
    with stack.web() as web:
        for rate in MESSAGES_PER_SECOND:
            polls, share = _measured(web, desks, rate, scale.seconds * 4)
            answered = len(polls.seconds)
            shares.append(share)
            rows.append(
                [
                    f"{rate:g} messages per second",
                    answered / (scale.seconds * 4),
                    f"{polls.statuses[304] / answered:.0%}",
                    share * CORES * 10 * scale.seconds * 4 / answered,
                    percentile([each * 1000 for each in polls.seconds], 50),
                    percentile([each * 1000 for each in polls.seconds], 95),
                    f"{share:.1f} %",
                ]
            )
    heads = ["", "polls per second", "nothing changed", "CPU ms per poll", "p50 ms", "p95 ms", f"of {CORES} cores"]
    print_table(f"{DESKS} open desks on {ALL[0] // scale.divisor:,} conversations", heads, rows)
    return [
        goal(f"{DESKS} open desks, {rate:g} messages per second", f"{share:.1f} %", f"at most {GOAL} %", share <= GOAL)
        for rate, share in zip(MESSAGES_PER_SECOND, shares, strict=True)
    ]


def _cookies() -> list[str]:
    """The session of each member."""
    cookies = []
    for number in range(DESKS):
        user, _ = User.objects.get_or_create(username=f"bench-agent-{number}", defaults={"is_staff": True})
        database.objects("memberships").create(user=user, tenant_id=tenant(), role="operator")
        client = Client()
        client.force_login(user)
        cookies.append(client.cookies["sessionid"].value)
    return cookies


def _measured(web: int, desks: Sequence[tuple[str, int]], rate: float, seconds: int) -> tuple[Polls, float]:
    """The polls, and the percentage of the cores that the web processes used."""
    stopped = Event()
    customers = Thread(target=_write, args=([pk for _, pk in desks], rate, stopped))
    customers.start()
    try:
        return asyncio.run(_poll(lambda: processes.cpu(web), desks, seconds))
    finally:
        stopped.set()
        customers.join()


def _write(conversations: Sequence[int], rate: float, stopped: Event) -> None:
    order: Iterator[int] = itertools.cycle(conversations)
    while rate and not stopped.wait(1 / rate):
        add_conversation_message(next(order), "user", "Do you have a strawberry cake?")
    connection.close()


async def _poll(cpu: Callable[[], float], desks: Sequence[tuple[str, int]], seconds: int) -> tuple[Polls, float]:
    """Open all desks, and measure once each has polled a few times."""
    polls = Polls()
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=DESKS)) as session:
        opened = [
            asyncio.create_task(_desk(session, polls, cookie, pk, number * EVERY / DESKS))
            for number, (cookie, pk) in enumerate(desks)
        ]
        await asyncio.sleep(4 * EVERY)
        polls.statuses.clear()
        polls.seconds.clear()
        began, used = time.monotonic(), cpu()
        await asyncio.sleep(seconds)
        share = (cpu() - used) / ((time.monotonic() - began) * 1000 * CORES) * 100
        for each in opened:
            each.cancel()
        await asyncio.gather(*opened, return_exceptions=True)
    return polls, share


async def _desk(session: aiohttp.ClientSession, polls: Polls, cookie: str, conversation: int, wait: float) -> None:
    url = f"http://127.0.0.1:{stack.WEB_PORT}{LIST}{conversation}/live/"
    version = ""
    while True:
        await asyncio.sleep(wait)
        wait, began = EVERY, time.monotonic()
        headers = {"Cookie": f"sessionid={cookie}", "If-None-Match": version, "Accept": "application/json"}
        async with session.get(url, headers=headers, allow_redirects=False) as response:
            if response.status == 200:
                version = (await response.json())["version"]
            elif response.status != 304:
                raise SystemExit(f"a poll was answered with {response.status}")
        polls.statuses[response.status] += 1
        polls.seconds.append(time.monotonic() - began)
