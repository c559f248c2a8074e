"""Text from other services: one line, bounded, and without anything that hides or reorders what's around it."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.untrusted_json import one_line, short_id, words_in


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("plain", "plain"),
        ("a\x00b", "ab"),
        ("half \ud83d", "half \ufffd"),
        ("two\r\nlines\tand\x1b[31m red\x07", "two lines and [31m red"),
        ("invoice\u202egpj.exe", "invoicegpj.exe"),
        ("a\u2066b\u2069c\u200fd\u061ce", "abcde"),
        ("Ann\u200b\u2060\ufeff\u00ad\u3164 Lee", "Ann Lee"),
        ("flag \U0001f3f4\U000e0067\U000e007f", "flag \U0001f3f4"),
        ("👩\u200d🌾 می\u200cخواهم क्\u200dष", "👩\u200d🌾 می\u200cخواهم क्\u200dष"),
        ("  ", ""),
        ("x" * 50, "x" * 19 + "…"),
    ],
)
def test_text_becomes_one_line_that_is_safe_to_show(text: str, line: str) -> None:
    assert one_line(text, 20 if text.startswith("x") else 100) == line


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ("Insufficient credits", "Insufficient credits"),
        ({"message": "No."}, "No."),
        ({"error": "Not found"}, "Not found"),
        ({"error": {"message": "Bad", "type": "x", "code": 1}}, "Bad"),
        ({"error": {"message": {"detail": [{"loc": ["body", "x"], "msg": "Extra inputs"}]}}}, "Extra inputs"),
        ({"errors": [{"title": "A"}, {"title": "B"}, {"title": "A"}]}, "A: B"),
        ({"title": "Sizes", "error_data": {"details": "Too large"}}, "Sizes: Too large"),
        ({"odd": ["one", {"two": "three"}]}, "one: three"),
        ("<html><head><title>502</title></head><body><h1>Bad&nbsp;Gateway</h1>nginx</body>", "Bad Gateway nginx"),
        ("<!DOCTYPE html><style>p{}</style><p>No <b>way</b></p>", "No way"),
        ("1 < 2 and 3 > 2", "1 < 2 and 3 > 2"),
        ([None, 7, True, {}], ""),
        (None, ""),
    ],
)
def test_what_a_service_says_is_found_whatever_its_shape(answer: object, words: str) -> None:
    assert words_in(answer, 100) == words


def test_a_long_id_is_cut_and_stays_unique() -> None:
    ids = ["w" * 300, "w" * 301, "w" * 255, 7, None]
    found = [short_id(value) for value in ids]
    assert [len(each) for each in found] == [255, 255, 255, 1, 0]
    assert len(set(found)) == 5
    assert short_id("w" * 300) == found[0]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=30),
    lambda parts: st.lists(parts, max_size=4) | st.dictionaries(st.text(max_size=10), parts, max_size=4),
)


@given(json_values)
def test_any_answer_becomes_a_bounded_line(answer: object) -> None:
    line = words_in(answer, 50)
    assert len(line) <= 50
    assert line.isprintable() or any(letter in line for letter in "\u200c\u200d") or not line.isascii()
    json.dumps(line).encode()
    line.encode()
