"""Meta's error codes: each row of the table."""

import pytest

from conversations.outbox.senders import Policy
from whatsapp.graph.errors import CODES, NO_CONNECTION, Rule, code_as_text, rule_for

THROTTLES = {"app throttled": {4}, "WABA throttled": {80007}, "number throttled": {130429}}
CLASSES = {
    **THROTTLES,
    "pair throttled": {131056},
    "spam or quality": {131048, 131064},
    "maintenance": {131057, 133004},
    "generic": {1, 2, 131000, 131016},
    "auth": {0, 3, 10, 190, 131005, 200, 210, 299},
    "policy": {368, 130497, 131031},
    "billing": {131042},
    "registration": {133010, 131045},
    "window": {131047},
    "recipient": {131026, 130403, 131021, 131030, 131062},
    "bad request": {33, 100, 131008, 131009, 131051},
}
BY_NAME = [(name, code) for name, codes in CLASSES.items() for code in sorted(codes)]
HELD = ("auth", "policy", "billing", "registration")


def rule_of(name: str) -> Rule:
    return rule_for(min(CLASSES[name]), 400)


@pytest.mark.parametrize("http_status", [200, 400, 401, 403, 429, 500, 503])
@pytest.mark.parametrize(("name", "code"), BY_NAME)
def test_it_goes_by_the_code_whatever_the_status(name: str, code: int, http_status: int) -> None:
    assert rule_for(code, http_status).name == name


@pytest.mark.parametrize(
    ("code", "http_status", "name"),
    [
        (999999, 400, "refused"),
        (999999, 403, "refused"),
        (999999, 404, "refused"),
        (None, 400, "refused"),
        (999999, 401, "auth"),
        (999999, 429, "number throttled"),
        (None, 429, "number throttled"),
        (999999, 500, "generic"),
        (None, 503, "generic"),
        (None, None, "generic"),
        (199, 400, "refused"),
        (300, 400, "refused"),
        (-1, 500, "generic"),
    ],
)
def test_it_goes_by_the_status_for_an_unknown_code(code: int | None, http_status: int | None, name: str) -> None:
    assert rule_for(code, http_status).name == name


def test_it_waits_as_the_table_says() -> None:
    waits = {name: rule_of(name).waits for name in CLASSES if rule_of(name).waits}
    assert waits | {"no connection": NO_CONNECTION.waits} == {
        "no connection": (1, 2, 4, 8, 16, 32, 60, 60, 60, 60),
        "pair throttled": (1, 4, 16, 64, 256),
        "spam or quality": (900, 900),
        "maintenance": (60,) * 10,
        "generic": (60, 120, 480),
    }


def test_it_pauses_what_the_code_is_about() -> None:
    paused = {name: rule_of(name).pause for name in CLASSES if rule_of(name).pause}
    assert paused == {
        "app throttled": "app",
        "WABA throttled": "waba",
        "number throttled": "number",
        "spam or quality": "number",
    }
    assert rule_of("spam or quality").pause_seconds == (900,)
    assert {rule_of(name).pause_seconds for name in THROTTLES} == {(1, 2, 4, 8, 16, 30)}


def test_it_holds_the_number_for_what_only_a_person_can_change() -> None:
    assert tuple(name for name in CLASSES if rule_of(name).policy == Policy.HOLD) == HELD


def test_it_fails_what_retrying_would_not_change() -> None:
    assert [name for name in CLASSES if rule_of(name).policy == Policy.FAIL] == ["window", "recipient", "bad request"]


def test_it_tells_operators_what_to_do() -> None:
    advised = [name for name in CLASSES if rule_of(name).advice]
    assert advised == ["spam or quality", *HELD, "bad request"]


@pytest.mark.parametrize("code", CODES)
def test_each_code_has_a_description(code: int) -> None:
    assert code_as_text(code).endswith(f" ({code})")
    assert len(code_as_text(code)) > 25


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (None, "Meta didn't say why"),
        (987654, "Meta's error 987654"),
        (250, "the access token lacks a permission (250)"),
    ],
)
def test_any_other_code_has_a_description(code: int | None, said: str) -> None:
    assert code_as_text(code) == said
