"""Turning the history into the model's messages."""

from typing import Any

from assistant.model.context import build
from conversations.models import ConversationMessage


def row(pk: int, role: str, text: str, **columns: Any) -> ConversationMessage:
    return ConversationMessage(pk=pk, role=role, text=text, **columns)


def test_roles_and_texts_are_unchanged() -> None:
    assert build([row(1, "user", "Hello"), row(2, "assistant", "Hi"), row(3, "system", "Be brief")]) == [
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": "Hi"},
        {"role": "system", "content": "Be brief"},
    ]


def test_rows_about_other_rows_are_left_out() -> None:
    kinds = ["edit", "revoke", "system", "note", "request_welcome"]
    assert build([row(n, "user", "x", kind=kind) for n, kind in enumerate(kinds, 1)]) == []


def test_a_blanked_message_is_left_out() -> None:
    assert build([row(1, "user", "")]) == []


def test_a_quotation_includes_the_quoted_text() -> None:
    rows = [
        row(1, "assistant", "Red or blue?", external_id="w1"),
        row(2, "user", "Wait"),
        row(3, "user", "Blue", reply_to="w1"),
    ]
    assert build(rows)[-1]["content"] == "(About “Red or blue?”)\nBlue"


def test_a_quotation_of_the_message_right_before_it_adds_nothing() -> None:
    rows = [row(1, "assistant", "Red or blue?", external_id="w1"), row(2, "user", "Blue", reply_to="w1")]
    assert build(rows)[-1]["content"] == "Blue"


def test_a_message_that_arrived_during_the_previous_reply_comes_after_it() -> None:
    rows = [row(1, "user", "First"), row(2, "user", "Second"), row(3, "assistant", "About the first")]
    assert [shown["content"] for shown in build(rows, to_answer=2)] == ["First", "About the first", "Second"]
