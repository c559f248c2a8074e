"""What to do when the model fails. Times are in seconds; `settings.RETRY_TIME_SCALE` shortens them in tests."""

import random
from dataclasses import dataclass

from django.conf import settings

MAX_ATTEMPTS = 3
STOP_SECONDS = 15 * 60
# A turn that is postponed by a rate limit: by at most 8 minutes, so that with its own duration and the jitter it stays
# below the 10 minutes that a customer may wait; by a minute if the service gives no time.
MAX_POSTPONE_SECONDS = 8 * 60
POSTPONE_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Rule:
    """One row.

    waits: seconds before the second, third, … attempt after a failure of this kind.
    postpone: if the wait doesn't fit into the turn, the turn is due again later.
    halve_history: drop the older half of the messages and try again, once.
    stop_endpoint: make no more calls to this URL with this key for 15 minutes.
    tell_operators: log an error, with `advice`.
    fallback: the customer gets the tenant's fallback text if all attempts fail.
    cost_unknown: the model may have answered, and the answer may be billed, although we never received it.
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
    # No DNS, connection or TLS: nothing was sent.
    "no_connection": Rule(waits=(0.5, 2)),
    # Disconnected after the request was sent.
    "connection_lost": Rule(waits=(0.5, 2), cost_unknown=True),
    "timeout": Rule(waits=(0,), cost_unknown=True),
    # 408, 409, 5xx
    "server_error": Rule(waits=(1, 4)),
    # 429 that passes with time; these waits apply without Retry-After.
    "rate_limited": Rule(waits=(2, 8), postpone=True),
    # 429 or 402 until someone pays
    "quota": Rule(
        stop_endpoint=True,
        tell_operators=True,
        advice="Add credit or raise the spending limit of the model's account. A new key is tried at once.",
    ),
    # 401
    "unauthorized": Rule(
        stop_endpoint=True,
        tell_operators=True,
        advice="The key was rejected. Enter a valid one in OPENAI_API_KEY or the tenant's assistant. "
        "It is tried at once.",
    ),
    # 403
    "forbidden": Rule(
        stop_endpoint=True,
        tell_operators=True,
        advice="The key isn't allowed to do this. Check its permissions, project and country.",
    ),
    # 404
    "model_not_found": Rule(
        tell_operators=True,
        advice="Choose a model that this endpoint offers, in OPENAI_MODEL or the tenant's assistant, "
        "and check OPENAI_BASE_URL.",
    ),
    "context_length_exceeded": Rule(halve_history=True),
    # 400, 422 and other refusals of this one request: the turn fails and needs someone's attention.
    "bad_request": Rule(fallback=False),
    # 200 that isn't JSON, or has no choices or empty ones
    "unreadable": Rule(waits=(0.5,)),
    "content_filter": Rule(),
    # No call is made:
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
    """The wait, scaled, and varied by ±20 % so that many turns don't retry at once."""
    return scaled(seconds) * random.uniform(0.8, 1.2)  # noqa: S311


def at_least(seconds: float) -> float:
    """A wait that the service asked for: scaled, and up to 20 % longer, never shorter."""
    return scaled(seconds) * random.uniform(1, 1.2)  # noqa: S311
