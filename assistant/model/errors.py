"""What to do when the model fails: the whole table.

Seconds here are those of production; `settings.RETRY_TIME_SCALE` shortens all of them in tests.
"""

import random
from dataclasses import dataclass

from django.conf import settings

MAX_ATTEMPTS = 3
STOP_SECONDS = 15 * 60
# A turn that the rate limit puts off: at the latest after 8 minutes, so that with its own time and the jitter it
# stays within the 10 that a customer may wait; after a minute when the service names no time.
MAX_POSTPONE_SECONDS = 8 * 60
POSTPONE_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Rule:
    """One row.

    waits: seconds before the second, third, … attempt after a failure of this kind.
    postpone: when the wait does not fit in the turn, the turn is due again later.
    halve_history: drop the older half of the messages and try again, once.
    stop_endpoint: no more calls to that address with that key for 15 minutes.
    tell_operators: an error in the log, with `advice`.
    fallback: the customer gets the tenant's fallback text when nothing helped.
    cost_unknown: the model may have worked, and be billed, without our seeing the answer.
    """

    waits: tuple[float, ...] = ()
    postpone: bool = False
    halve_history: bool = False
    stop_endpoint: bool = False
    tell_operators: bool = False
    fallback: bool = True
    cost_unknown: bool = False
    advice: str = ""


RULES: dict[str, Rule] = {
    # No connection, no address, no TLS: nothing was asked.
    "no_connection": Rule(waits=(0.5, 2)),
    # Cut off after the request went out.
    "connection_lost": Rule(waits=(0.5, 2), cost_unknown=True),
    "timeout": Rule(waits=(0,), cost_unknown=True),
    # 408, 409, 5xx
    "server_error": Rule(waits=(1, 4)),
    # 429 that passes with time; the waits are for an answer without Retry-After.
    "rate_limited": Rule(waits=(2, 8), postpone=True),
    # 429 or 402 that only money ends
    "quota": Rule(
        stop_endpoint=True,
        tell_operators=True,
        advice="Add credit or raise the spending limit of the model's account; a new key is tried at once.",
    ),
    # 401
    "unauthorized": Rule(
        stop_endpoint=True,
        tell_operators=True,
        advice="The key is refused. Put a valid one into OPENAI_API_KEY or the tenant's assistant; "
        "it is tried at once.",
    ),
    # 403
    "forbidden": Rule(
        stop_endpoint=True,
        tell_operators=True,
        advice="The key may not do this. Look at its permissions, its project and its country.",
    ),
    # 404
    "model_not_found": Rule(
        tell_operators=True,
        advice="Choose a model this endpoint has, in OPENAI_MODEL or the tenant's assistant, "
        "and check OPENAI_BASE_URL.",
    ),
    "context_length_exceeded": Rule(halve_history=True),
    # 400, 422 and other refusals of this one request: the turn is failed, for a person to look at.
    "bad_request": Rule(fallback=False),
    # 200 that is not JSON, has no choices, or nothing in them
    "unreadable": Rule(waits=(0.5,)),
    "content_filter": Rule(),
    # Not asked at all:
    "no_key": Rule(
        tell_operators=True,
        advice="Set OPENAI_API_KEY, or the key of the tenant's assistant "
        "(an address of its own needs a key of its own; any word where none is checked).",
    ),
    "endpoint_paused": Rule(),
}


def scaled(seconds: float) -> float:
    return float(seconds * settings.RETRY_TIME_SCALE)


def jittered(seconds: float) -> float:
    """That wait in this process: scaled, and ±20 % so that many turns do not come back at once."""
    return scaled(seconds) * random.uniform(0.8, 1.2)  # noqa: S311


def at_least(seconds: float) -> float:
    """A wait that was asked for: scaled, and up to 20 % longer, never shorter."""
    return scaled(seconds) * random.uniform(1, 1.2)  # noqa: S311
