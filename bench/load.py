"""The load: signed deliveries prepared beforehand, sent by wrk (Debian: `apt install wrk`)."""

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

from whatsapp.webhook.signature import sign

from .stack import DATA, NUMBER, SECRET

CUSTOMERS = 5_000
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
  io.write(string.format("RESULT %%d %%d %%d %%f %%f %%f %%f\\n", summary.requests, summary.duration,
    summary.errors.status + summary.errors.connect + summary.errors.read + summary.errors.timeout,
    latency:percentile(50), latency:percentile(95), latency:percentile(99), latency.max))
end
"""


@dataclass(frozen=True)
class Measured:
    """What came of a load: answered requests a second, and milliseconds."""

    rate: float
    p50: float
    p95: float
    p99: float
    errors: int
    requests: int


def delivery(
    messages: int, serial: int, run: int, number: str = NUMBER, customers: Sequence[str] | None = None
) -> bytes:
    """One webhook body of so many new messages, as Meta writes it; from these customers, else from many in turn."""
    pieces = [
        {
            "from": customers[n] if customers else str(79_000_000_000 + (serial * messages + n) % CUSTOMERS),
            "id": f"wamid.HBgLNzkwMDEyMzQ1NjcVAgASGBQ{run:09}{serial:07}{n:04}",
            "timestamp": str(int(time.time())),
            "type": "text",
            "text": {"body": f"Hello, do you deliver to the old town on Sunday? ({serial}.{n})"},
        }
        for n in range(messages)
    ]
    contacts = [{"profile": {"name": f"Customer {p['from']}"}, "wa_id": p["from"]} for p in pieces]
    value = {
        "messaging_product": "whatsapp",
        "metadata": {"display_phone_number": "15550001111", "phone_number_id": number},
        "contacts": contacts,
        "messages": pieces,
    }
    entry = {"id": "102290129340398", "changes": [{"field": "messages", "value": value}]}
    return json.dumps({"object": "whatsapp_business_account", "entry": [entry]}, separators=(",", ":")).encode()


def post(url: str, body: bytes) -> None:
    """One signed delivery; the answer must be 200."""
    headers = {"Content-Type": "application/json", "X-Hub-Signature-256": sign(body, SECRET)}
    urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=30).read()


def prepare(count: int, messages: int = 1) -> Path:
    """A file of signed deliveries that were never sent before."""
    run, file = next(_run), DATA / "deliveries.txt"
    with file.open("w") as out:
        for serial in range(count):
            body = delivery(messages, serial, run)
            out.write(f"{sign(body, SECRET)} {body.decode()}\n")
    return file


def wrk(url: str, file: Path, seconds: int, connections: int = 32, threads: int = 2, pause_ms: int = 0) -> Measured:
    """`pause_ms`: how long each connection waits before each request."""
    if not shutil.which("wrk"):
        raise SystemExit("wrk is missing: the load generator of the bench. On Debian: apt install wrk")
    script = DATA / "load.lua"
    script.write_text(
        SCRIPT % {"file": file, "threads": threads} + (f"function delay() return {pause_ms} end\n" if pause_ms else "")
    )
    command = ["wrk", f"-t{threads}", f"-c{connections}", f"-d{seconds}s", "--timeout", "30s", "-s", str(script), url]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = re.search(r"RESULT (\d+) (\d+) (\d+) ([\d.]+) ([\d.]+) ([\d.]+) ([\d.]+)", printed)
    if not found:
        raise SystemExit(f"wrk said nothing of use:\n{printed}")
    requests, duration, errors, p50, p95, p99, _ = (float(part) for part in found.groups())
    return Measured(requests / (duration / 1e6), p50 / 1e3, p95 / 1e3, p99 / 1e3, int(errors), int(requests))
