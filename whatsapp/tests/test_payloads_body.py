"""Reading the raw bytes, before anything is parsed."""

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.untrusted_json import MAX_DEPTH, TOO_DEEP, UnreadableJson, clean, loads
from whatsapp.tests.factories import inbound, text_message
from whatsapp.webhook.parsing import parse


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "empty body"),
        (b" \r\n\t", "empty body"),
        (b"\xef\xbb\xbf", "empty body"),
        (b"{", "not JSON"),
        (b"<html>502 Bad Gateway</html>", "not JSON"),
        (b"hub.mode=subscribe", "not JSON"),
        (b'{"a": 1} {"b": 2}', "not JSON"),
        (b"\xff\xfe{\x00", "not JSON"),
        (b"[" * 200_000, "nested too deeply"),
        (b'{"a":' * 200_000 + b"1" + b"}" * 200_000, "nested too deeply"),
    ],
)
def test_it_says_why_a_body_cannot_be_read(body: bytes, reason: str) -> None:
    with pytest.raises(UnreadableJson) as caught:
        loads(body)
    assert caught.value.reason == reason


@pytest.mark.parametrize(
    ("body", "value"),
    [
        ('{"a": "Ж"}'.encode("utf-16"), {"a": "Ж"}),
        (b"null", None),
        (b"[]", []),
        (b"7", 7),
        (b'\xef\xbb\xbf{"a": 1}', {"a": 1}),
        (b'{"a": "\xff\xfe"}', {"a": "\ufffd\ufffd"}),
        (
            b'{"a": NaN, "b": Infinity, "c": -Infinity, "d": 1e999, "e": 1.5}',
            {**dict.fromkeys("abcd"), "e": 1.5},
        ),
        (b'{"a": "x\\u0000y", "b\\u0000": "\\ud800"}', {"a": "xy", "b": "\ufffd"}),
        (b'{"a": "x\x00y"}', {"a": "xy"}),
        (b'{"a": "two\nlines"}', {"a": "two\nlines"}),
        (b'{"a": "\\ud83d\\udc4d"}', {"a": "👍"}),
        (b'{"a": ' + b"9" * 40 + b"}", {"a": int("9" * 40)}),
        (b'{"a": ' + b"9" * 5000 + b"}", {"a": "9" * 5000}),
    ],
)
def test_it_mends_what_postgresql_would_refuse(body: bytes, value: object) -> None:
    assert loads(body) == value


def test_it_cuts_what_is_nested_too_deeply_and_keeps_the_rest() -> None:
    nested: Any = "bottom"
    for _ in range(500):
        nested = [nested]

    cleaned: Any = clean({"nested": nested, "kept": 1})

    assert cleaned["kept"] == 1
    assert json.dumps(cleaned["nested"]).count("[") == MAX_DEPTH  # one of them is the marker's own
    assert TOO_DEEP in json.dumps(cleaned)


def test_it_reads_a_message_beside_a_poisoned_one() -> None:
    body = json.dumps(inbound(text_message("a\x00b\ud800c"), text_message("well"))).encode()

    assert [message.text for message in parse(loads(body)).messages] == ["ab\ufffdc", "well"]


@given(st.binary())
def test_it_reads_or_refuses_any_bytes(body: bytes) -> None:
    with contextlib.suppress(UnreadableJson):
        loads(body)


@given(
    st.recursive(
        st.text() | st.floats() | st.integers(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_it_cleans_into_valid_json_and_cleans_nothing_twice(value: object) -> None:
    cleaned = clean(value)

    text = json.dumps(cleaned, allow_nan=False, ensure_ascii=False)
    assert "\\u0000" not in text.replace("\\\\", "")
    text.encode()
    assert clean(cleaned) == cleaned


@pytest.mark.parametrize("around", ["", "]]]]}}}}" * 20, '\\"{[' * 200, "\\\\"])
def test_it_cuts_deep_nesting_among_many_shallow_parts(around: str) -> None:
    """The shortcut for bodies that need no cleaning isn't fooled by what strings contain."""
    shallow = f'{{"a":["{around}"]}},' * 100
    depth = MAX_DEPTH - 1  # of lists, in the outer one
    fine, deep = ("[" * n + f'"{around}"' + "]" * n for n in (depth, depth + 1))
    assert TOO_DEEP not in str(loads(f"[{shallow}{fine}]".encode()))
    assert TOO_DEEP in str(loads(f"[{shallow}{deep}]".encode()))
