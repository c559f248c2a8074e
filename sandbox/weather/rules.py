"""How Meta and the model behave badly: rules, taken one by one by the requests they fit."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db.models import F

from sandbox.models import WeatherRule

Params = dict[str, Any]


@dataclass(frozen=True)
class Kind:
    """One way to behave badly. `params` gives each parameter's default."""

    says: str
    params: Params


CODE: Params = {"code": 131000}
KINDS: dict[str, dict[str, Kind]] = {
    "graph": {
        "error": Kind("Refuses with Meta's error `code`", CODE),
        "slow": Kind("Waits before it looks at the request", {"seconds": 3.0}),
        "html": Kind("A proxy answers with a page instead of JSON; nothing is sent", {"status": 502}),
        "unreadable": Kind("Accepts, sends, and answers 200 with half a JSON", {}),
        "no_answer": Kind("Accepts, sends, and closes the connection without an answer", {}),
        "closed": Kind("Closes the connection without accepting", {}),
        "failed": Kind("Accepts, and later says it failed with `code`", {"code": 131026}),
    },
    "webhook": {
        "duplicate": Kind("Delivers everything `copies` times more", {"copies": 1}),
        "reorder": Kind("Says delivered before sent; newer messages overtake older ones", {}),
        "late": Kind("Delivers after `seconds`", {"seconds": 10.0}),
        "read_without_delivered": Kind("Says sent, then read", {}),
        "no_statuses": Kind("Never says how far a message has come", {}),
        "batch": Kind("Waits for `size` messages and delivers them in one piece", {"size": 3}),
        "bad_signature": Kind("Signs with a wrong secret", {}),
    },
    "media": {
        "error": Kind("Refuses with Meta's error `code`", {"code": 100}),
        "slow": Kind("Waits before the bytes come", {"seconds": 3.0}),
        "wrong_sha256": Kind("Names the checksum of another file", {}),
        "expired": Kind("The address of the file has expired", {}),
        "html": Kind("A page instead of the file, with the file's type", {}),
        "redirect": Kind("Redirects to an address inside the bot's network", {"to": "http://127.0.0.1:1/"}),
    },
    "hearing": {
        "slow": Kind("Listens for `seconds` before it answers", {"seconds": 5.0}),
        "server_error": Kind("500", {"status": 500}),
        "blank": Kind("Hears nothing", {}),
        "html": Kind("200 with a page instead of JSON", {}),
    },
    "model": {
        "slow": Kind("Thinks for `seconds` before it answers", {"seconds": 5.0}),
        "rate_limited": Kind("429 with Retry-After", {"retry_after": 2}),
        "insufficient_quota": Kind("429: no money left", {}),
        "unauthorized": Kind("401: the key is wrong", {}),
        "model_not_found": Kind("404: no such model", {}),
        "context_length_exceeded": Kind("400: the conversation is too long", {}),
        "server_error": Kind("500", {"status": 500}),
        "cut": Kind("200 with half a JSON", {}),
        "html": Kind("200 with a page instead of JSON", {}),
        "empty": Kind("200 without choices", {}),
        "blank": Kind("200 with blank content", {}),
        "content_filter": Kind("Stops at the content filter", {}),
        "length": Kind("Stops at the limit of tokens, in the middle of a sentence", {}),
        "refusal": Kind("Refuses to answer", {}),
        "no_usage": Kind("Answers without counting tokens", {}),
        "hang": Kind("Takes the request and says nothing for `seconds`, then closes", {"seconds": 60.0}),
        "trickle": Kind("Sends the answer a few bytes at a time over `seconds`", {"seconds": 10.0}),
    },
}
# A rule may be bound to some requests only.
SCOPES = ("phone_number_id", "to", "contains")


class BadRule(ValueError):
    """A rule that does not exist or has wrong parameters, in words."""


@dataclass(frozen=True)
class Rule:
    kind: str
    params: Params

    def __getitem__(self, name: str) -> Any:
        return self.params[name]


def add(given: object) -> None:
    """Store one rule from its JSON; raises BadRule."""
    if not isinstance(given, dict):
        raise BadRule("A rule is an object with `area` and `kind`.")
    rule = dict(given)
    area, name = rule.pop("area", None), rule.pop("kind", None)
    if area not in KINDS:
        raise BadRule(f"`area` is one of {', '.join(KINDS)}, not {area!r}.")
    if name not in KINDS[area]:
        raise BadRule(f"`kind` of {area} is one of {', '.join(KINDS[area])}, not {name!r}.")
    times = rule.pop("times", None)
    if times is not None and (not isinstance(times, int) or times < 1):
        raise BadRule("`times` is a whole number above 0, or null for every request.")
    params = KINDS[area][name].params | {key: value for key, value in rule.items() if value is not None}
    _check(area, name, params)
    WeatherRule.objects.create(area=area, kind=name, remaining=times, params=params)


def _check(area: str, name: str, params: Params) -> None:
    defaults = KINDS[area][name].params
    for key, value in params.items():
        if key not in defaults and key not in SCOPES:
            known = ", ".join([*defaults, *SCOPES, "times"])
            raise BadRule(f"{area} {name} has no parameter `{key}`; it has {known}.")
        if isinstance(defaults.get(key, ""), str):
            if not isinstance(value, str):
                raise BadRule(f"`{key}` of {area} {name} is a text, not {value!r}.")
        elif isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
            raise BadRule(f"`{key}` of {area} {name} is a number of 0 or more, not {value!r}.")


def take(area: str, kinds: Iterable[str], facts: Params) -> Rule | None:
    """The first rule of these kinds that fits the facts, counted down; None when the weather is fine."""
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
