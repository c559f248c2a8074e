"""The assistant's own tools: what a call means, whatever a model writes into it."""

from collections.abc import Mapping
from typing import Any

import pytest

from assistant.tools.own import HAND_OVER, NOTE_LEAD, LeadFieldSpec, Toolbox, ToolCall, calls_in, protocol
from conversations.choices import HandoverReason

FIELDS = [
    LeadFieldSpec("guests", "number", "How many guests"),
    LeadFieldSpec("day", "date", ""),
    LeadFieldSpec("mail", "email", ""),
    LeadFieldSpec("phone", "phone", ""),
    LeadFieldSpec("vegan", "yes_no", ""),
    LeadFieldSpec("wish", "text", ""),
]
TOOLS = Toolbox(FIELDS, "Someone is back on Monday.")


def note(**values: object) -> ToolCall:
    return ToolCall(NOTE_LEAD, {"fields": values})


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ({"guests": 12}, {"guests": 12}),
        ({"guests": "12.5"}, {"guests": 12.5}),
        ({"guests": "a dozen"}, {}),
        ({"guests": float("nan")}, {}),
        ({"guests": True}, {}),
        ({"day": "2026-12-24"}, {"day": "2026-12-24"}),
        ({"day": "Christmas"}, {}),
        ({"mail": "ada@example.org"}, {"mail": "ada@example.org"}),
        ({"mail": "ada"}, {}),
        ({"phone": "+34 600 123 456"}, {"phone": "+34 600 123 456"}),
        ({"phone": "soon"}, {}),
        ({"vegan": True}, {"vegan": True}),
        ({"vegan": "no"}, {"vegan": False}),
        ({"vegan": "perhaps"}, {}),
        ({"wish": "choco\x00late"}, {"wish": "chocolate"}),
        ({"wish": ["chocolate"]}, {}),
        ({"wish": "x" * 10_000}, {"wish": "x" * 500}),
        ({"wish": ""}, {}),
        ({"budget": 20}, {}),
    ],
)
def test_a_value_is_stored_only_if_it_is_of_the_fields_type(
    given: Mapping[str, Any], stored: Mapping[str, object]
) -> None:
    assert TOOLS.effects([note(**given)]).values == stored


def test_the_model_is_told_what_is_wrong_with_a_value() -> None:
    assert TOOLS.result(note(guests="many", budget=20)) == "guests isn't a number. Unknown field 'budget'."
    assert TOOLS.result(note(guests=3)) == "Noted."
    assert TOOLS.result(ToolCall("order_pizza", {})) == "Unknown tool 'order_pizza'."


def test_handing_over_says_what_the_customer_may_be_promised() -> None:
    assert "Someone is back on Monday." in TOOLS.result(ToolCall(HAND_OVER, {"reason": "asked"}))


@pytest.mark.parametrize(
    ("arguments", "reason", "summary"),
    [
        ({"reason": "complaint", "summary": "The cake was late."}, HandoverReason.COMPLAINT, "The cake was late."),
        ({"reason": "whatever"}, HandoverReason.OTHER, ""),
        ({}, HandoverReason.OTHER, ""),
        ({"reason": ["asked"], "summary": {"a": 1}}, HandoverReason.OTHER, ""),
        ({"reason": "asked", "summary": "x" * 9_999}, HandoverReason.ASKED, "x" * 600),
    ],
)
def test_handing_over_always_has_a_reason(arguments: Any, reason: HandoverReason, summary: str) -> None:
    effects = TOOLS.effects([ToolCall(HAND_OVER, arguments)])
    assert (effects.reason, effects.summary) == (reason, summary)


CALL = '{"tool": "hand_over", "reason": "sale", "summary": "Wants {two} cakes."}'


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (f"Gladly!\n{CALL}", "Gladly!"),
        (f"Gladly!\n```json\n{CALL}\n```", "Gladly!"),
        (f"{CALL}\nGladly!", "Gladly!"),
        (f"Gladly! {CALL}", "Gladly!"),
        (CALL, ""),
    ],
)
def test_a_call_in_the_text_is_found_and_removed(text: str, left: str) -> None:
    rest, calls = calls_in(text)
    assert rest == left
    assert TOOLS.effects(calls).reason == HandoverReason.SALE
    assert TOOLS.effects(calls).summary == "Wants {two} cakes."


@pytest.mark.parametrize(
    "text",
    [
        "Gladly!",
        'The form wants {"name": "Ada"}.',
        '{"tool": "hammer"}',
        "{" * 5_000,
        '{"tool": "hand_over"',
        "hand_over",
    ],
)
def test_other_text_is_left_alone(text: str) -> None:
    assert calls_in(text) == (text, [])


def test_calls_in_other_shapes_are_understood() -> None:
    _, calls = calls_in(
        'Noted.\n{"name": "note_lead", "arguments": {"guests": 4}}\n{"tool": "note_lead", "vegan": true}'
    )
    assert TOOLS.effects(calls).values == {"guests": 4, "vegan": True}


def test_the_protocol_names_every_tool_and_field() -> None:
    text = protocol(TOOLS.definitions())
    assert all(word in text for word in (HAND_OVER, NOTE_LEAD, "guests", "How many guests", "asked", "back on Monday"))
    assert NOTE_LEAD not in protocol(Toolbox([], "").definitions())
