"""A long text as several messages."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversations.outbox.splitting import LIMIT, split_text


@pytest.mark.parametrize(("text", "parts"), [("", []), (" \n ", []), ("Hello", ["Hello"]), (" Hello \n", ["Hello"])])
def test_a_short_text_is_one_message_and_a_blank_one_is_none(text: str, parts: list[str]) -> None:
    assert split_text(text) == parts


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("one two.\n\nthree four. five", ["one two.", "three four. five"]),
        ("one two three\nfour five six", ["one two three", "four five six"]),
        ("one two three. four five six", ["one two three.", "four five six"]),
        ("one two three four five six", ["one two three", "four five six"]),
        ("onetwothreefourfivesix", ["onetwothreefourf", "ivesix"]),
    ],
)
def test_it_cuts_at_the_best_place_that_fits(text: str, parts: list[str]) -> None:
    assert split_text(text, 16) == parts


@given(st.text(alphabet=st.sampled_from("ab .!?\n…é👍"), max_size=300), st.integers(4, 40))
def test_every_part_fits_and_only_whitespace_is_lost(text: str, limit: int) -> None:
    parts = split_text(text, limit)
    assert all(0 < len(part) <= limit for part in parts)
    assert "".join("".join(parts).split()) == "".join(text.split())


def test_the_limit_is_whatsapps() -> None:
    assert [len(part) for part in split_text("x" * (LIMIT + 1))] == [4096, 1]
