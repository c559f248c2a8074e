"""A reply may link to known hosts only, and a fact that nobody told the model is found."""

import datetime as dt
import json
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.replies.facts import facts_in
from assistant.replies.grounding import Shown, unknown_facts
from assistant.replies.links import keep_links

TODAY = dt.date(2026, 11, 27)  # a Friday


@dataclass(frozen=True)
class Case:
    business: str
    customer: str
    reply: str
    fact: str = ""


DATA = json.loads((Path(__file__).parent / "replies.json").read_text(encoding="utf-8"))
ORDINARY = [Case(**case) for case in DATA["ordinary"]]
INVENTED = [Case(**case) for case in DATA["invented"]]


def unknown(case: Case) -> list[str]:
    return unknown_facts(case.reply, Shown(DATA["businesses"][case.business], case.customer), TODAY)


def test_at_most_two_of_a_hundred_ordinary_replies_raise_a_false_alarm() -> None:
    alarms = [(case.reply, facts) for case in ORDINARY if (facts := unknown(case))]
    assert len(ORDINARY) > 100
    assert len(alarms) <= 0.02 * len(ORDINARY), alarms


def test_invented_facts_are_named_as_they_are_written() -> None:
    """A price that happens to be the sum of two others isn't recognised."""
    missed = [case for case in INVENTED if unknown(case) != [case.fact]]
    assert len(missed) <= 0.05 * len(INVENTED), missed


@pytest.mark.parametrize(
    ("shown", "reply"),
    [
        ("1.500,50 €", "€1,500.50"),
        ("1,500 dollars", "1500 USD"),
        ("Rs 1,00,000", "₹100000"),
        ("20", "20.00 €"),
        ("٢٠ ريال", "20 EUR"),
        ("0151 12340066", "+49 (0)151 1234-0066"),
        ("+1 305 555 0142", "(305) 555-0142"),
        ("Ann@Shop.example", "ann@shop.example"),
        ("2026-03-14", "14 March"),
        ("14/03/2026", "March 14th, 2026"),
        ("14 de marzo", "14.03.2026"),
        ("3月14日", "14 mars 2027"),
        ("code save 20", "SAVE20"),
        ("DE89 3704 0044 0532 0130 00", "DE89370400440532013000"),
    ],
)
def test_a_fact_is_recognised_in_another_notation(shown: str, reply: str) -> None:
    assert facts_in(reply), "it's a fact"
    assert unknown_facts(reply, Shown("", shown), TODAY) == []


@pytest.mark.parametrize(
    "text",
    [
        "Open 9:00-18:30, 24/7, on weekends too",
        "500 ml, 1500 g, 12x24 cm, 5G, 4K, H2O, COVID-19, MP3",
        "a 3-day trip for 2 people, 10-inch, 1st and 22nd",
        "5 out of 10, 1/2, 3:1, 99 %, 1 000 000 fans",
        "you may 5 times, Windows 11, room 204, iPhone 15",
        "HELLO WORLD, FAQ, ASAP",
    ],
)
def test_other_numbers_and_words_are_not_facts(text: str) -> None:
    assert facts_in(text) == []


@pytest.mark.parametrize(
    ("text", "kept", "removed"),
    [
        ("See https://shop.example/cakes.", "See https://shop.example/cakes.", []),
        ("See www.shop.example", "See www.shop.example", []),
        ("At https://sub.allowed.example/x", "At https://sub.allowed.example/x", []),
        ("Our shop: https://evil.example/x now", "Our shop now", ["evil.example"]),
        ("Menu (https://evil.example) here", "Menu here", ["evil.example"]),
        ("Go to evil.com.", "Go to.", ["evil.com"]),
        ("Go to EVIL.COM, evil.Com or EVIL.example/x.", "Go to, or.", ["evil.com", "evil.example"]),
        ("Great.Es gibt Kuchen", "Great.Es gibt Kuchen", []),
        ("Go to bit.ly/abc or t.me/x", "Go to or", ["bit.ly", "t.me"]),
        ("https://shop.example@evil.example/x", "", ["evil.example"]),
        (r"https://evil.example\@shop.example", "", ["evil.example"]),
        ("https://shop.example.evil.example", "", ["shop.example.evil.example"]),
        ("https://notallowed.example", "", ["notallowed.example"]),
        ("https://ＥＶＩＬ.example", "", ["evil.example"]),
        ("https://sub.shop.example", "", ["sub.shop.example"]),
        ("http://1.2.3.4/x", "", ["1.2.3.4"]),
        ("https://shop.example:https://e.example", "", ["https://shop.example:https://e.example"]),
        ("Write to me@evil.com", "Write to me@evil.com", []),
        ("e.g. this. We open at 9.Call us, z.B. menu.pdf", "e.g. this. We open at 9.Call us, z.B. menu.pdf", []),
    ],
)
def test_links_to_hosts_that_nobody_named_are_removed(text: str, kept: str, removed: list[str]) -> None:
    assert keep_links(text, ["We are at https://www.shop.example/."], ["allowed.example"]) == (kept, removed)


PIECES = ["https://evil.example/a", "https://shop.example", "www.evil.com", "evil.com", "word", *"(): @\n/."]


@given(st.lists(st.sampled_from(PIECES), max_size=12))
def test_no_link_to_an_unknown_host_is_left(pieces: list[str]) -> None:
    kept, _ = keep_links("".join(pieces), ["shop.example"], [])
    assert keep_links(kept, ["shop.example"], []) == (kept, [])
