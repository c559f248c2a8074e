"""Sends every check's deliveries, waits for what must come, judges."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

from sandbox.conformance import checks
from sandbox.conformance.checks import Check
from sandbox.conformance.wire import Seen, Wire

POLL_SECONDS = 0.5
# Meta's advice: a median of 250 ms or less.
MEDIAN_SECONDS = 0.25


@dataclass(frozen=True)
class Result:
    says: str
    missed: str


def all_checks(secret: str, verify_token: str) -> list[Check]:
    """Without a secret there is no signature to be wrong."""
    signatures: list[Check] = [checks.BadSignatures()] if secret else []
    return [
        checks.Handshake(token=verify_token),
        *signatures,
        checks.OneReply(),
        checks.Duplicates(),
        checks.Batch(),
        checks.Neighbours(),
        checks.UnknownKinds(),
        checks.UserIdOnly(),
        checks.BothIds(),
        checks.NumberChange(),
        checks.Silence(),
        checks.Statuses(),
        checks.BadBodies(),
    ]


def run(wire: Wire, given: list[Check], wait: float, settle: float, step: Callable[[str], None]) -> list[Result]:
    """`wait` seconds for replies at most, then `settle` seconds for replies too many."""
    for check in given:
        step(check.says)
        check.send(wire)
    step("waiting for replies")
    until = time.monotonic() + wait
    while _missing(given, wire.seen()) and time.monotonic() < until:
        time.sleep(POLL_SECONDS)
    step("waiting for replies that should not come")
    time.sleep(settle)
    seen = wire.seen()
    return [Result(check.says, check.missed(seen)) for check in given] + [_speed(wire)]


def _missing(given: list[Check], seen: Seen) -> bool:
    return any(check.missed(seen) for check in given)


def _speed(wire: Wire) -> Result:
    median = statistics.median(answer.seconds for answer in wire.answers)
    missed = "" if median <= MEDIAN_SECONDS else f"the median answer took {median * 1000:.0f} ms"
    return Result(f"half of the answers come within {MEDIAN_SECONDS * 1000:.0f} ms", missed)
