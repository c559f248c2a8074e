"""The load: signed deliveries that are prepared beforehand and sent by wrk (Debian: `apt install wrk`)."""

import hashlib
import hmac
import itertools
import json
import re
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .stack import DATA, NUMBER, SECRET, WEBHOOK

CUSTOMERS = 5_000
CONNECTIONS = 32
WARM_SECONDS = 1
_run = itertools.count(int(time.time()) % 1_000_000 * 1000)

SCRIPT = """
local bodies, signatures, count = {}, {}, 0
for line in io.lines("%(file)s") do
  local signature, body = line:match("^(%%S+) (.*)$")
  count = count + 1
  signatures[count], bodies[count] = signature, body
end
local threads = 0
function setup(thread) thread:set("offset", threads); threads = threads + 1 end
local at = 0
function request()
  at = at + 1
  local index = (at * %(threads)d + offset) %% count + 1
  return wrk.format("POST", nil, {["Content-Type"] = "application/json",
    ["X-Hub-Signature-256"] = signatures[index]}, bodies[index])
end
function done(summary, latency, requests)
  io.write(string.format("RESULT %%d %%d %%d %%f %%f %%f\\n", summary.requests, summary.duration,
    summary.errors.status + summary.errors.connect + summary.errors.read + summary.errors.timeout,
    latency:percentile(50), latency:percentile(95), latency:percentile(99)))
end
"""


@dataclass(frozen=True)
class Measured:
    """The result of a load: answered requests per second, and milliseconds."""

    rate: float
    p50: float
    p95: float
    p99: float
    errors: int


def sign(body: bytes) -> str:
    """The value of `X-Hub-Signature-256`."""
    return "sha256=" + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()


def delivery(
    messages: int,
    serial: int,
    run: int,
    number: str = NUMBER,
    customers: Sequence[str] | None = None,
    picture: bool = False,
) -> bytes:
    """A webhook body with this many new messages, each from another customer unless `customers` are given.

    The text of each message ends with a mark in parentheses that occurs nowhere else in the same run.
    """
    found = []
    for n in range(messages):
        message = {
            "from": customers[n] if customers else str(79_000_000_000 + (serial * messages + n) % CUSTOMERS),
            "id": f"wamid.HBgLNzkwMDEyMzQ1NjcVAgASGBQ{run:09}{serial:07}{n:04}",
            "timestamp": str(int(time.time())),
        }
        text = {"type": "text", "text": {"body": f"Hello, do you deliver to the old town on Sunday? ({serial}.{n})"}}
        image = {"type": "image", "image": {"id": f"{run:09}{serial:07}{n:04}", "mime_type": "image/png"}}
        found.append(message | (image if picture else text))
    contacts = [{"profile": {"name": f"Customer {message['from']}"}, "wa_id": message["from"]} for message in found]
    value = {
        "messaging_product": "whatsapp",
        "metadata": {"display_phone_number": "15550001111", "phone_number_id": number},
        "contacts": contacts,
        "messages": found,
    }
    entry = {"id": "102290129340398", "changes": [{"field": "messages", "value": value}]}
    return json.dumps({"object": "whatsapp_business_account", "entry": [entry]}, separators=(",", ":")).encode()


def post(body: bytes) -> None:
    """Post one signed delivery to Parley; the answer must be 200."""
    headers = {"Content-Type": "application/json", "X-Hub-Signature-256": sign(body)}
    urllib.request.urlopen(urllib.request.Request(WEBHOOK, body, headers), timeout=60).read()


def new_run() -> int:
    """A number that makes the message IDs of a run of deliveries unique."""
    return next(_run)


def prepare(count: int, messages: int = 1) -> Path:
    """A file of signed deliveries that have never been sent."""
    run, file = new_run(), DATA / "deliveries.txt"
    with file.open("w") as out:
        for serial in range(count):
            body = delivery(messages, serial, run)
            out.write(f"{sign(body)} {body.decode()}\n")
    return file


def webhook(seconds: int, connections: int = CONNECTIONS) -> Measured:
    """Warm up whatever serves the webhook, then send it one new message per delivery."""
    wrk(prepare(CUSTOMERS), WARM_SECONDS, connections)
    return wrk(prepare(seconds * 4000), seconds, connections)


def wrk(file: Path, seconds: int, connections: int = CONNECTIONS) -> Measured:
    if not shutil.which("wrk"):
        raise SystemExit("wrk, the load generator, is missing. Debian, Ubuntu: apt install wrk")
    threads, script = 2, DATA / "load.lua"
    script.write_text(SCRIPT % {"file": file, "threads": threads})
    options = [f"-t{threads}", f"-c{connections}", f"-d{seconds}s", "--timeout", "30s", "-s", str(script)]
    printed = subprocess.run(["wrk", *options, WEBHOOK], capture_output=True, text=True, check=True).stdout
    found = re.search(r"RESULT (\d+) (\d+) (\d+) ([\d.]+) ([\d.]+) ([\d.]+)", printed)
    if not found:
        raise SystemExit(f"wrk printed no result:\n{printed}")
    requests, duration, errors, p50, p95, p99 = (float(part) for part in found.groups())
    return Measured(requests / (duration / 1e6), p50 / 1e3, p95 / 1e3, p99 / 1e3, int(errors))


def middle(several: Sequence[Measured]) -> Measured:
    """The one with the median rate."""
    return sorted(several, key=lambda found: found.rate)[len(several) // 2]
