"""Texts are split into chunks that fit, in order, and without losing anything."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowledge.chunking import LONGEST, Piece, pieces_of

MENU = """Welcome.

# Prices ##

All prices include VAT.

## Cakes

- Apple: 24.00
- Cherry: 26.00

## Bread
Rye: 4.50

# Closed on Mondays
"""


def test_splits_at_headings_and_keeps_their_path() -> None:
    assert list(pieces_of(MENU)) == [
        Piece("", "Welcome."),
        Piece("Prices", "All prices include VAT."),
        Piece("Prices > Cakes", "- Apple: 24.00\n- Cherry: 26.00"),
        Piece("Prices > Bread", "Rye: 4.50"),
        Piece("Closed on Mondays", "Closed on Mondays"),
    ]


def test_keeps_short_paragraphs_of_a_section_together() -> None:
    paragraphs = [letter * 500 for letter in "abc"]
    assert [len(piece.text) for piece in pieces_of("\n\n".join(paragraphs))] == [1002, 500]


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("We deliver on Fridays. " * 100, "."),
        ("Wir liefern freitags! " * 100, "!"),
        ("私たちは金曜日に配達します。" * 200, "。"),
        ("हम शुक्रवार को डिलीवरी करते हैं।" * 100, "।"),
        ("نوصل الطلبات يوم الجمعة؟ " * 100, "؟"),
        ("line of a list\n" * 200, "list"),
        ("word " * 500, "word"),
    ],
)
def test_splits_a_long_paragraph_where_it_hurts_least(text: str, end: str) -> None:
    found = list(pieces_of(text))
    assert len(found) > 1
    assert all(piece.text.endswith(end) and len(piece.text) <= LONGEST for piece in found)
    assert all(len(piece.text) > LONGEST / 2 for piece in found[:-1])


def test_a_line_in_a_code_block_or_too_long_is_not_a_heading() -> None:
    text = f"```\n# not one\n```\n# {'x' * 300}"
    assert [piece.heading for piece in pieces_of(text)] == [""]


def test_a_word_longer_than_a_chunk_is_cut() -> None:
    assert [len(piece.text) for piece in pieces_of("x" * 3000)] == [1200, 1200, 600]


def test_a_text_of_nothing_has_no_chunks() -> None:
    assert list(pieces_of(" \n\n \t\n")) == []


@given(st.lists(st.text("aé。.! \n", max_size=400) | st.sampled_from(["\n\n", "x" * 1300, "x. " * 500]), max_size=8))
def test_nothing_is_lost_or_repeated(parts: list[str]) -> None:
    found = [piece.text for piece in pieces_of("".join(parts))]
    assert all(0 < len(text) <= LONGEST for text in found)
    assert "".join("".join(found).split()) == "".join("".join(parts).split())
