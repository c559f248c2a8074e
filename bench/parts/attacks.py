"""What one client, one delivery or one business can cost the others."""

import contextlib
import http.client
import json
import selectors
import socket
import statistics
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from urllib.parse import urlsplit

from bench import conversing, database, load, processes, stack
from bench.stack import NUMBER, Scale
from bench.tables import Goal, goal, percentile, print_table, ratio

SLOW_CLIENTS = 200
BYTE_SECONDS = 2  # a slow client sends a byte this often
CLOSED_SECONDS = 60  # how long to wait for the server to close the last of them
SIZE = 3 * 1024 * 1024  # the largest delivery
PARTS = 249_000  # objects, lists and commas: few more, and Parley wouldn't look into it
ACCOUNTS = 1000
FORGERIES = 20
CUSTOMERS, BURST, CONNECTIONS = 20, 2000, 16
OTHER = "100000000000099"  # the number of the business with the burst


# --- slow connections ---


class SlowClients:
    """Connections whose requests never end: a head, a body, a chunk and a form, a byte at a time."""

    def __init__(self, count: int) -> None:
        host, port = urlsplit(stack.WEBHOOK).hostname, urlsplit(stack.WEBHOOK).port
        begun = [
            "POST /api/whatsapp/webhook HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ",
            "POST /api/whatsapp/webhook HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100000\r\n\r\n",
            "POST /api/whatsapp/webhook HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n186a0\r\n",
            "POST /admin/login/ HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100000\r\n\r\n",
        ]
        self.closed_after: list[float] = []
        self.open: dict[socket.socket, float] = {}
        self._selector = selectors.DefaultSelector()
        for n in range(count):
            client = socket.create_connection((host, port))
            self.open[client] = time.monotonic()
            client.sendall(begun[n % len(begun)].encode())
            client.setblocking(False)
            self._selector.register(client, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._trickle, daemon=True)
        self._thread.start()

    def wait(self) -> None:
        self._thread.join(CLOSED_SECONDS)

    def _trickle(self) -> None:
        sent_at = time.monotonic()
        while self.open:
            for key, _ in self._selector.select(timeout=0.2):
                self._read(key.fileobj)  # type: ignore[arg-type]
            if time.monotonic() - sent_at >= BYTE_SECONDS:
                sent_at = time.monotonic()
                for client in self.open:
                    with contextlib.suppress(OSError):
                        client.send(b"x")

    def _read(self, client: socket.socket) -> None:
        with contextlib.suppress(ConnectionError):
            if client.recv(4096):
                return  # the refusal, before the end
        self._selector.unregister(client)
        self.closed_after.append(time.monotonic() - self.open.pop(client))
        client.close()


def slow_clients(scale: Scale) -> list[Goal]:
    database.empty()
    with stack.web():
        alone = load.webhook(scale.seconds)
        slow = SlowClients(SLOW_CLIENTS)
        beside = load.wrk(load.prepare(scale.seconds * 4000), scale.seconds)
        still_open = len(slow.open)
        slow.wait()
    last = max(slow.closed_after, default=0.0)
    left = SLOW_CLIENTS - len(slow.closed_after)
    print_table(
        f"The webhook beside {SLOW_CLIENTS} slow connections",
        ["", "per second", "p50 ms", "p95 ms", "errors", "connections open at the end", "last one closed after s"],
        [
            ["alone", alone.rate, alone.p50, alone.p95, alone.errors, "", ""],
            ["beside them", beside.rate, beside.p50, beside.p95, beside.errors, still_open, last],
        ],
    )
    return [
        goal(
            f"webhook's p95 beside {SLOW_CLIENTS} slow connections",
            f"{beside.p95:.0f} ms",
            "under 250 ms",
            beside.p95 < 250 and not beside.errors,
        ),
        goal(
            "slow connections closed",
            f"all within {last:.0f} s" if not left else f"{left} left",
            "within 30 s",
            not left and last <= 30,
        ),
    ]


# --- heavy deliveries ---


def heavy_bodies() -> Iterator[tuple[str, bytes]]:
    """Deliveries of 3 MB, each the worst of its kind."""
    value = (
        f'{{"entry":[{{"id":"1","changes":[{{"field":"messages","value":{{"metadata":{{"phone_number_id":"{NUMBER}"}},'
    )
    end = "}}]}]}"
    text = '{"from":"79001234567","type":"text","text":{"body":"a"}}'
    long = "x" * (SIZE // 2)
    shapes = {
        "messages": (f'{value}"messages":[', f"{text},", f"{text}]{end}"),
        "statuses": (f'{value}"statuses":[', '{"id":"a","status":"sent"},', f'{{"id":"a","status":"sent"}}]{end}'),
        "messages that can't be read": (f'{value}"messages":[', '{"from":"#"},', f"1]{end}"),
        "unread messages beside a long contact": (
            f'{value}"contacts":[{{"wa_id":"7","x":"{long}"}}],"messages":[',
            '{"from":"7","x":#},',
            f"1]{end}",
        ),
        "unread messages beside long errors": (f'{value}"errors":["{long}"],"messages":[', '{"from":"7"},', f"1]{end}"),
        "changes beside a long ID": (f'{{"entry":[{{"id":"{long}","changes":[', "{},", "1]}]}"),
        "contacts": (f'{value}"messages":[{text}],"contacts":[', '{"wa_id":"1"},', f"1]{end}"),
        "numbers": ('{"entry":[', "1,", "1]}"),
        "empty objects": ('{"entry":[', "{},", "1]}"),
        "lists in one message": (f'{value}"messages":[{text[:-1]},"x":[', "[0],", f"1]}}]{end}"),
        "contacts in one message": (
            f'{value}"messages":[{{"from":"7","type":"contacts","contacts":[',
            '{"phones":[{}]},',
            f"1]}}]{end}",
        ),
        "a text of emoji": (f'{value}"messages":[{text[:-3]}', "\U0001f600", f'"}}}}]{end}'),
        "a text of NULs": (f'{value}"messages":[{text[:-3]}', "\\u0000", f'"}}}}]{end}'),
        "digits": ('{"entry":[', "1", "]}"),
    }
    for name, parts in shapes.items():
        yield name, filled(*(part.encode() for part in parts), parts=PARTS)
    keys = ",".join(f'"{n:06x}":1' for n in range(PARTS))
    yield "keys", f"{value}{keys}{end}".encode().ljust(SIZE)
    yield "a million objects", filled(b'{"entry":[', b"{},", b"1]}", parts=SIZE)
    yield "nesting", b"[" * SIZE


def filled(head: bytes, unit: bytes, tail: bytes, *, parts: int) -> bytes:
    """Repeat this unit up to 3 MB, with at most `parts` objects, lists and commas in all.

    `#` in the unit is a number that makes it unique.
    """
    most = parts // max(1, sum(unit.count(part) for part in (b"{", b"[", b",")))
    count = min(most, (SIZE - len(head) - len(tail)) // len(unit.replace(b"#", b"100000")))
    units = (unit.replace(b"#", b"%d" % n) for n in range(100_000, 100_000 + count)) if b"#" in unit else [unit] * count
    return (head + b"".join(units) + tail).ljust(SIZE)


def heavy(scale: Scale) -> list[Goal]:
    with stack.web() as pid:
        found = [cost_of(name, body, pid) for name, body in heavy_bodies()]
    heads = ["3 MB of", "CPU ms, web", "CPU ms, PostgreSQL", "response ms", "memory MB", "rows"]
    rows = [[each.name, each.web, each.postgres, each.milliseconds, each.megabytes, each.rows] for each in found]
    print_table("One delivery of 3 MB", heads, rows)
    cpu, memory = max(each.web + each.postgres for each in found), max(each.megabytes for each in found)
    return [
        goal("CPU of any 3 MB delivery, PostgreSQL included", f"{cpu:,.0f} ms", "under 1,000 ms", cpu < 1000),
        goal("memory of any 3 MB delivery", f"{memory:.0f} MB", "under 100 MB", memory < 100),
    ]


@dataclass(frozen=True)
class Cost:
    """Of one delivery; CPU in ms. `rows`: messages and quarantined events."""

    name: str
    web: float
    postgres: float
    milliseconds: float
    megabytes: float
    rows: int


def cost_of(name: str, body: bytes, pid: int) -> Cost:
    database.empty()
    load.post(load.delivery(1, 0, load.new_run()))
    servers = database.server_pids()
    web, postgres, memory = processes.cpu(pid), sum(map(processes.cpu, servers)), processes.resident(pid)
    processes.forget_peak(pid)
    began = time.monotonic()
    load.post(body)
    took = time.monotonic() - began
    return Cost(
        name,
        processes.cpu(pid) - web,
        sum(map(processes.cpu, servers)) - postgres,
        took * 1000,
        max(0.0, processes.peak(pid) - memory) / 1024,
        database.one("SELECT count(*) FROM conversation_messages")
        - 1
        + database.one("SELECT count(*) FROM quarantined_events"),
    )


# --- refused deliveries ---


def refused(scale: Scale) -> list[Goal]:
    rows: list[list[object]] = []
    text = {"type": "text", "from": "79001234567", "text": {"body": "x" * (SIZE - 200_000)}}
    numbers = [f"7{n:014}" for n in range(ACCOUNTS)]
    changes = [
        {"field": "messages", "value": {"metadata": {"phone_number_id": number}, "messages": []}} for number in numbers
    ]
    changes[-1]["value"]["messages"] = [text]  # type: ignore[index]
    body = json.dumps({"object": "whatsapp_business_account", "entry": [{"id": "1", "changes": changes}]}).encode()
    for accounts in (1, ACCOUNTS):
        database.empty()
        for n, number in enumerate(numbers[:accounts]):
            database.add_business(number, app_secret=f"secret of the app {n}")
        with stack.web() as pid:
            forge(body)
            spent = processes.cpu(pid)
            times = [forge(body) for _ in range(FORGERIES)]
            cpu = (processes.cpu(pid) - spent) / FORGERIES
        rows.append([accounts, statistics.median(times), percentile(times, 95), cpu])
    heads = ["accounts with an app of their own", "median ms", "p95 ms", "CPU ms"]
    print_table("A forged delivery of 3 MB that names all accounts", heads, rows)
    median = rows[-1][1]
    what = f"refusing a delivery with {ACCOUNTS:,} accounts"
    return [goal(what, f"{median:.0f} ms", "under 50 ms", median < 50)]  # type: ignore[operator]


def forge(body: bytes) -> float:
    """Post a delivery with a wrong signature on a new connection; the answer must be 403. Milliseconds."""
    address = urlsplit(stack.WEBHOOK)
    client = http.client.HTTPConnection(address.hostname or "", address.port, timeout=60)
    began = time.monotonic()
    client.request("POST", address.path, body, {"X-Hub-Signature-256": "sha256=" + "0" * 64})
    status = client.getresponse().status
    took = (time.monotonic() - began) * 1000
    client.close()
    if status != 403:
        raise SystemExit(f"the forged delivery was answered with {status}")
    return took


# --- a neighbour's burst ---


def neighbour(scale: Scale) -> list[Goal]:
    """20 customers of four businesses talk, while 2,000 customers write to a fifth one at once."""
    burst = BURST // scale.divisor
    database.empty()
    database.add_business(OTHER)
    with stack.stand_in(conversing.MODEL_SECONDS, conversing.GRAPH_SECONDS), stack.web(), stack.worker():
        conversing.warm_up()
        conversing.begin(CUSTOMERS, think=1)
        time.sleep(scale.seconds * 4)
        quiet = conversing.counts()["replied"]
        conversing.begin(CUSTOMERS, think=1)
        began = time.monotonic()
        run = load.new_run()
        bodies = [load.delivery(1, n, run, OTHER, [str(78_000_000_000 + n)]) for n in range(burst)]
        with ThreadPoolExecutor(CONNECTIONS) as pool:
            list(pool.map(load.post, bodies))
        while replies_of_the_burst() < burst and time.monotonic() - began < conversing.LONGEST:
            time.sleep(0.2)
        took = time.monotonic() - began
        during = conversing.counts()["replied"]
    rows = [
        [name, len(times), percentile(times, 50), percentile(times, 95)]
        for name, times in (("quiet", quiet), (f"during the burst, which took {took:.0f} s", during))
    ]
    heads = ["the neighbours' replies", "replies", "p50 s", "p95 s"]
    print_table(f"Replies while {burst:,} customers write to another business", heads, rows)
    times = ratio(percentile(during, 95), percentile(quiet, 95))
    what = f"neighbour's p95 reply time during a burst of {burst:,} customers"
    return [goal(what, f"{times:.1f} × of quiet", "at most 2 ×", times <= 2)]


def replies_of_the_burst() -> int:
    found = database.one(
        "SELECT count(*) FROM turns t JOIN conversations c ON c.id = t.conversation_id"
        " WHERE c.phone_number_id = %s AND t.state = 'replied'",
        OTHER,
    )
    return int(found)
