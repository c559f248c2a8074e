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


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("See https://shop.example/cakes now", ["See", "https://shop.exa", "mple/cakes now"]),
        ("Our shop: https://x.example", ["Our shop:", "https://x.exampl", "e"]),
        ("Open 1. Monday, 2. Tuesday", ["Open 1. Monday,", "2. Tuesday"]),
        ("Is it open?” Yes, it is.", ["Is it open?”", "Yes, it is."]),
        ("你好，我们六点开门。明天也开门。欢迎", ["你好，我们六点开门。明天也开门。", "欢迎"]),
        ("👍🏽" * 5, ["👍🏽" * 4, "👍🏽"]),
        ("👨‍👩‍👧‍👦" * 2, ["👨‍👩‍👧‍👦", "👨‍👩‍👧‍👦"]),
        ("🇩🇪🇫🇷🇮🇹🇪🇸🇵🇹", ["🇩🇪🇫🇷🇮🇹🇪🇸", "🇵🇹"]),
        ("e\u0301" * 9, ["e\u0301" * 8, "e\u0301"]),
        ("x" * 15 + "किताब", ["x" * 15, "किताब"]),
        ("x" * 15 + "क्ष", ["x" * 15, "क्ष"]),
        ("x" * 15 + "\u1112\u1161\u11ab", ["x" * 15, "\u1112\u1161\u11ab"]),
    ],
)
def test_it_cuts_between_what_a_reader_sees_as_characters_and_not_in_a_link(text: str, parts: list[str]) -> None:
    assert split_text(text, 16) == parts


@given(st.text(alphabet=st.sampled_from("ab .!?\n…é👍\u0301\u200d"), max_size=300), st.integers(4, 40))
def test_every_part_fits_and_only_whitespace_is_lost(text: str, limit: int) -> None:
    parts = split_text(text, limit)
    assert all(0 < len(part.encode("utf-16-le")) // 2 <= limit for part in parts)
    assert "".join("".join(parts).split()) == "".join(text.split())


@given(st.lists(st.sampled_from(["https://shop.example/a?b=c", "word", "word. ", "\n", " "]), max_size=40))
def test_a_link_that_fits_into_a_message_stays_whole(pieces: list[str]) -> None:
    text = " ".join(pieces)
    assert sum(part.count("https://shop.example/a?b=c") for part in split_text(text, 40)) == text.count("https")


def test_the_limit_is_whatsapps_counted_in_utf16() -> None:
    assert [len(part) for part in split_text("x" * (LIMIT + 1))] == [4096, 1]
    assert [len(part) for part in split_text("👍" * 2049)] == [2048, 1]
