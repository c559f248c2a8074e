"""Sends the deliveries of all checks, waits for the replies and evaluates them."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

from sandbox.conformance import checks
from sandbox.conformance.checks import Check
from sandbox.conformance.client import Client, Seen

POLL_SECONDS = 0.5
# Meta's advice: a median of 250 ms or less.
MEDIAN_SECONDS = 0.25


@dataclass(frozen=True)
class Result:
    says: str
    missed: str


def all_checks(secret: str, verify_token: str) -> list[Check]:
    """Signatures are only checked if there's a secret to sign with."""
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


def run(client: Client, given: list[Check], wait: float, settle: float, step: Callable[[str], None]) -> list[Result]:
    """Waits up to `wait` seconds for replies, then `settle` seconds for unexpected ones."""
    for check in given:
        step(check.says)
        check.send(client)
    step("waiting for replies")
    until = time.monotonic() + wait
    while _missing(given, client.seen()) and time.monotonic() < until:
        time.sleep(POLL_SECONDS)
    step("waiting for unexpected replies")
    time.sleep(settle)
    seen = client.seen()
    return [Result(check.says, check.missed(seen)) for check in given] + [_speed(client)]


def _missing(given: list[Check], seen: Seen) -> bool:
    return any(check.missed(seen) for check in given)


def _speed(client: Client) -> Result:
    median = statistics.median(answer.seconds for answer in client.answers)
    missed = "" if median <= MEDIAN_SECONDS else f"the median answer took {median * 1000:.0f} ms"
    return Result(f"the median response time is at most {MEDIAN_SECONDS * 1000:.0f} ms", missed)
