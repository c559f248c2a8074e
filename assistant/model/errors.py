"""What to do when the model fails. Times are in seconds; `settings.RETRY_TIME_SCALE` shortens them in tests."""

import random
from dataclasses import dataclass

from django.conf import settings

from assistant.tools.own import ToolCall

from .refusals import Refusal

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
    halve_history: drop the older half of the messages and try again, until one is left.
    stop_endpoint: make no more calls to this URL with this key for 15 minutes.
    more_room: ask again with a higher limit on output tokens.
    objects: ask again, and tell the model what's wrong with its answer.
    tell_operators: log an error, with `advice`.
    cost_unknown: the model may have answered, and the answer may be billed, although we never received it.
    """

    waits: tuple[float, ...] = ()
    postpone: bool = False
    halve_history: bool = False
    stop_endpoint: bool = False
    more_room: bool = False
    objects: bool = False
    tell_operators: bool = False
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
        advice="Add credit or raise the spending limit of the model's account. A new key takes effect immediately.",
    ),
    # 401
    "unauthorized": Rule(
        stop_endpoint=True,
        tell_operators=True,
        advice="The key was rejected. Enter a valid one in OPENAI_API_KEY or the business's assistant. "
        "It takes effect immediately.",
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
        advice="Choose a model that this endpoint offers, in OPENAI_MODEL or the business's assistant, "
        "and check OPENAI_BASE_URL.",
    ),
    "context_length_exceeded": Rule(halve_history=True),
    # 400, 422 and other refusals of this one request
    "bad_request": Rule(),
    # 200 that isn't JSON, or has no choices or empty ones
    "unreadable": Rule(waits=(0.5,)),
    # 200 without text, because reasoning used all output tokens
    "no_room": Rule(waits=(0,), more_room=True),
    # 200 with facts that nobody told the model, if the assistant's fact check is enforced
    "invented": Rule(waits=(0,), objects=True),
    # 200 with the assistant's instructions
    "leaked": Rule(waits=(0,), objects=True),
    "content_filter": Rule(),
    # No call is made:
    "no_key": Rule(
        tell_operators=True,
        advice="Set OPENAI_API_KEY, or the key of the business's assistant. A base URL of its own needs "
        "its own key. If the server doesn't check keys, enter any word.",
    ),
    "endpoint_paused": Rule(),
}


@dataclass(frozen=True, slots=True)
class Completion:
    """The model's reply and its usage. `usage_estimated`: the service didn't report token counts."""

    text: str
    model: str
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    usage_estimated: bool
    seconds: float
    warning: str = ""  # what the team should check in the text
    tool_calls: tuple[ToolCall, ...] = ()

    @property
    def tokens(self) -> int:
        return self.prompt_tokens + self.completion_tokens


class ModelFailed(Exception):
    """The model didn't answer. `kind` names a row of `RULES`; `detail` is in plain words and never contains the key.

    billed: the answer, if there was one that can't be used. refusal: what the service said, if it said anything.
    """

    def __init__(
        self,
        kind: str,
        detail: str,
        retry_after: float | None = None,
        billed: Completion | None = None,
        refusal: Refusal | None = None,
    ) -> None:
        super().__init__(f"{kind}: {detail}")
        self.kind = kind
        self.detail = detail
        self.retry_after = retry_after
        self.billed = billed
        self.refusal = refusal

    @property
    def rule(self) -> Rule:
        return RULES[self.kind]


def scaled(seconds: float) -> float:
    return float(seconds * settings.RETRY_TIME_SCALE)


def jittered(seconds: float) -> float:
    """The wait, scaled, and varied by ±20 % so that many turns don't retry at once."""
    return scaled(seconds) * random.uniform(0.8, 1.2)  # noqa: S311


def at_least(seconds: float) -> float:
    """A wait that the service asked for: scaled, and up to 20 % longer, never shorter."""
    return scaled(seconds) * random.uniform(1, 1.2)  # noqa: S311
