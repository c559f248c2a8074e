"""Fault injection: rules that make Meta or the model misbehave. Each request uses the first rule that matches."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db.models import F

from sandbox.models import WeatherRule

Params = dict[str, Any]


@dataclass(frozen=True)
class Kind:
    """A kind of fault. `params` has each parameter's default."""

    says: str
    params: Params


CODE: Params = {"code": 131000}
KINDS: dict[str, dict[str, Kind]] = {
    "graph": {
        "error": Kind("Refuses with Meta's error `code`", CODE),
        "slow": Kind("Waits before handling the request", {"seconds": 3.0}),
        "html": Kind("Answers with an HTML page instead of JSON, without sending", {"status": 502}),
        "unreadable": Kind("Sends, and answers 200 with truncated JSON", {}),
        "no_answer": Kind("Sends, and closes the connection without a response", {}),
        "closed": Kind("Closes the connection without sending", {}),
        "failed": Kind("Accepts, and later reports a failure with `code`", {"code": 131026}),
    },
    "webhook": {
        "duplicate": Kind("Delivers everything `copies` more times", {"copies": 1}),
        "reorder": Kind("Reports delivered before sent, and newer messages before older ones", {}),
        "late": Kind("Delivers after `seconds`", {"seconds": 10.0}),
        "read_without_delivered": Kind("Reports sent, then read", {}),
        "no_statuses": Kind("Never reports a status", {}),
        "batch": Kind("Waits for `size` messages and delivers them together", {"size": 3}),
        "bad_signature": Kind("Signs with a wrong secret", {}),
    },
    "media": {
        "error": Kind("Refuses with Meta's error `code`", {"code": 100}),
        "slow": Kind("Waits before sending the file", {"seconds": 3.0}),
        "wrong_sha256": Kind("Reports a wrong checksum", {}),
        "expired": Kind("Answers that the URL has expired", {}),
        "html": Kind("Sends an HTML page with the file's content type", {}),
        "redirect": Kind("Redirects to a URL inside the bot's network", {"to": "http://127.0.0.1:1/"}),
    },
    "hearing": {
        "slow": Kind("Waits for `seconds` before answering", {"seconds": 5.0}),
        "server_error": Kind("Answers 500", {"status": 500}),
        "blank": Kind("Returns an empty transcript", {}),
        "html": Kind("Answers 200 with an HTML page instead of JSON", {}),
    },
    "model": {
        "slow": Kind("Waits for `seconds` before answering", {"seconds": 5.0}),
        "rate_limited": Kind("Answers 429 with Retry-After", {"retry_after": 2}),
        "insufficient_quota": Kind("Answers 429: quota exceeded", {}),
        "unauthorized": Kind("Answers 401: invalid key", {}),
        "model_not_found": Kind("Answers 404: unknown model", {}),
        "context_length_exceeded": Kind("Answers 400: conversation too long", {}),
        "server_error": Kind("Answers 500", {"status": 500}),
        "cut": Kind("Answers 200 with truncated JSON", {}),
        "html": Kind("Answers 200 with an HTML page instead of JSON", {}),
        "empty": Kind("Answers 200 without choices", {}),
        "blank": Kind("Answers 200 with blank content", {}),
        "content_filter": Kind("Stops at the content filter", {}),
        "length": Kind("Stops at the token limit, in the middle of a sentence", {}),
        "refusal": Kind("Refuses to answer", {}),
        "no_usage": Kind("Answers without token usage", {}),
        "hang": Kind("Accepts the request, then closes the connection after `seconds`", {"seconds": 60.0}),
        "trickle": Kind("Sends the response a few bytes at a time over `seconds`", {"seconds": 10.0}),
    },
}
# Parameters that limit a rule to some requests.
SCOPES = ("phone_number_id", "to", "contains")


class BadRule(ValueError):
    """The rule is unknown or has wrong parameters. The text says why."""


@dataclass(frozen=True)
class Rule:
    kind: str
    params: Params

    def __getitem__(self, name: str) -> Any:
        return self.params[name]


def add(given: object) -> None:
    """Store a rule from its JSON. Raises BadRule."""
    if not isinstance(given, dict):
        raise BadRule("A rule must be an object with `area` and `kind`.")
    rule = dict(given)
    area, name = rule.pop("area", None), rule.pop("kind", None)
    if area not in KINDS:
        raise BadRule(f"`area` must be one of {', '.join(KINDS)}, not {area!r}.")
    if name not in KINDS[area]:
        raise BadRule(f"`kind` of {area} must be one of {', '.join(KINDS[area])}, not {name!r}.")
    times = rule.pop("times", None)
    if times is not None and (not isinstance(times, int) or times < 1):
        raise BadRule("`times` must be a positive integer, or null for every request.")
    params = KINDS[area][name].params | {key: value for key, value in rule.items() if value is not None}
    _check(area, name, params)
    WeatherRule.objects.create(area=area, kind=name, remaining=times, params=params)


def _check(area: str, name: str, params: Params) -> None:
    defaults = KINDS[area][name].params
    for key, value in params.items():
        if key not in defaults and key not in SCOPES:
            known = ", ".join([*defaults, *SCOPES, "times"])
            raise BadRule(f"{area} {name} has no parameter `{key}`. It has {known}.")
        if isinstance(defaults.get(key, ""), str):
            if not isinstance(value, str):
                raise BadRule(f"`{key}` of {area} {name} must be a string, not {value!r}.")
        elif isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
            raise BadRule(f"`{key}` of {area} {name} must be a number of at least 0, not {value!r}.")


def take(area: str, kinds: Iterable[str], facts: Params) -> Rule | None:
    """Use the first rule of these kinds that matches the request, and count it down. None if there is none."""
    for row in WeatherRule.objects.filter(area=area, kind__in=list(kinds)).order_by("pk"):
        if _fits(row.params, facts) and _count_down(row):
            return Rule(row.kind, row.params)
    return None


def _fits(params: Params, facts: Params) -> bool:
    if params.get("contains", "") not in facts.get("text", ""):
        return False
    return all(
        params[scope] == facts.get(scope) for scope in ("phone_number_id", "to") if scope in facts and scope in params
    )


def _count_down(row: WeatherRule) -> bool:
    if row.remaining is None:
        return True
    mine = WeatherRule.objects.filter(pk=row.pk, remaining__gt=0).update(remaining=F("remaining") - 1)
    WeatherRule.objects.filter(pk=row.pk, remaining=0).delete()
    return mine == 1


def as_json(row: WeatherRule) -> Params:
    return {"id": row.pk, "area": row.area, "kind": row.kind, "times": row.remaining, **row.params}
