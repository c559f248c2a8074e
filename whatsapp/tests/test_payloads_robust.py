"""No content makes a delivery fail, and bad items don't affect good ones."""

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.untrusted_json import loads
from whatsapp.tests.factories import (
    EXAMPLES,
    change,
    contact,
    delivery,
    echo,
    error,
    inbound,
    message,
    status,
    text_message,
)
from whatsapp.webhook import parsing
from whatsapp.webhook.parsing import parse
from whatsapp.webhook.types import Rejected, WebhookBody

NEIGHBOUR = "still here"
AD = {"source_type": "ad", "source_id": "1"}
CONTEXT = {"id": "wamid.q", "forwarded": True, "referred_product": {"product_retailer_id": "A"}}

FIXTURES = [
    *(
        change(
            messages=[message(kind, content, context=CONTEXT, referral=AD)],
            contacts=[contact(user_id="RU.1")],
        )
        for kind, content, _text in EXAMPLES
    ),
    change(messages=[message("unsupported", errors=[error(1, "Odd", "Very")])], errors=[error(2, "Else")]),
    change(message_echoes=[echo(to_user_id="RU.1")], contacts=[contact()]),
    change(message_echoes=[echo("edit", {"original_message_id": "w", "message": text_message("new")})]),
    change(statuses=[status("failed", message_id=7, errors=[error(131047, "Re-engagement", "Late")])]),
    change(field="account_update", event="DISABLED"),
]

BAD: list[Any] = [
    None,
    "",
    0,
    -1,
    1.5,
    True,
    "x",
    "\x00\ud800",
    [],
    {},
    [None],
    {"": ""},
    [[]],
    "9" * 10_000,
    10**40,
    float("nan"),
]


def paths(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to every key and every element."""
    inner = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in inner:
        yield (*path, key)
        yield from paths(value, (*path, key))


def changed(node: Any, path: tuple[Any, ...], *value: Any) -> Any:
    """A copy with another value at the end of the path, or without it."""
    whole = copy.deepcopy(node)
    parent = whole
    for key in path[:-1]:
        parent = parent[key]
    if value:
        parent[path[-1]] = value[0]
    else:
        del parent[path[-1]]
    return whole


def assert_sound(found: WebhookBody) -> None:
    """What the database and the rest of the code rely on."""
    read: tuple[Any, ...] = (*found.messages, *found.echoes, *found.statuses)
    json.dumps([each.raw for each in read], allow_nan=False)
    for each in (*found.messages, *found.echoes):
        ids = (
            each.phone_number_id,
            each.phone,
            each.user_id,
            each.wamid,
            each.reply_to,
            each.target,
            each.name,
        )
        assert all(len(value or "") <= 255 for value in ids)
        assert each.phone_number_id
        assert each.phone or each.user_id
        assert each.text
        assert "\x00" not in each.text
        each.text.encode()
    for rejected in found.rejected:
        assert not rejected.reason.startswith("error:"), rejected
        assert len(rejected.reason) <= 255
        assert parse(rejected.raw) == WebhookBody((), (), (), (rejected,))


@pytest.mark.parametrize("fixture", FIXTURES)
def test_it_survives_any_removed_or_invalid_key_and_reads_the_neighbour(fixture: dict[str, Any]) -> None:
    neighbour = inbound(text_message(NEIGHBOUR, sender="5"))["entry"]
    entry = delivery(fixture)["entry"][0]
    for path in paths(entry):
        for value in ((), *((bad,) for bad in BAD)):
            found = parse({"object": parsing.OBJECT, "entry": [changed(entry, path, *value), *neighbour]})
            assert found.messages[-1].text == NEIGHBOUR
            assert_sound(found)


@pytest.mark.parametrize("bad", [(), *((bad,) for bad in BAD)])
@pytest.mark.parametrize("key", ["object", "id"])
def test_it_survives_an_invalid_envelope(key: str, bad: tuple[Any, ...]) -> None:
    data = inbound(text_message(NEIGHBOUR))
    found = parse(changed(data, ("object",) if key == "object" else ("entry", 0, "id"), *bad))

    assert_sound(found)
    assert found.messages or found.rejected[0].reason == "wrong object"


@pytest.mark.parametrize("at", [0, 500, 999])
def test_it_reads_999_of_1000_messages(at: int) -> None:
    items: list[Any] = [text_message(str(number)) for number in range(1000)]
    items[at] = {"id": "poison", "type": {"deep": [None] * 1000}}

    found = parse(inbound(*items))

    assert (len(found.messages), len(found.rejected)) == (999, 1)


def test_it_quarantines_an_item_that_a_bug_of_ours_cannot_read(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_here: Any, _piece: Any) -> Any:
        raise ZeroDivisionError

    monkeypatch.setitem(parsing._MAKERS["messages"], "statuses", broken)
    found = parse(delivery(change(messages=[text_message()], statuses=[status(wamid="wamid.1")])))

    assert [rejected.reason for rejected in found.rejected] == ["error: ZeroDivisionError"]
    assert isinstance(found.rejected[0], Rejected)
    assert len(found.messages) == 1


def test_it_survives_an_edit_of_an_edit_of_an_edit() -> None:
    item: Any = text_message("bottom")
    for _ in range(400):
        item = {**message("edit"), "edit": {"original_message_id": "w", "message": item}}

    found = parse(inbound(item, text_message(NEIGHBOUR)))

    assert found.messages[-1].text == NEIGHBOUR


KEYS = st.sampled_from(
    ["object", "entry", "changes", "value", "field", "metadata", "phone_number_id", "messages", "statuses",
     "message_echoes", "contacts", "errors", "from", "from_user_id", "to", "id", "timestamp", "type", "text",
     "body", "image", "interactive", "order", "product_items", "quantity", "item_price", "system", "edit",
     "message", "reaction", "context", "wa_id", "user_id", "profile", "name", "status", "code", "title"]
)  # fmt: skip
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(
    ["whatsapp_business_account", "messages", "text", "order", "edit", "button_reply", "sent", "1772000000"]
)  # fmt: skip
ANYTHING = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS | st.text(max_size=8), inner, max_size=6),
    max_leaves=40,
)


@given(ANYTHING)
@settings(max_examples=300)
def test_it_accepts_any_json_value(data: Any) -> None:
    assert_sound(parse(data))


@given(ANYTHING)
@settings(max_examples=300)
def test_it_accepts_any_item_beside_a_good_one(item: Any) -> None:
    found = parse(delivery(change(messages=[item, text_message(NEIGHBOUR)], statuses=[item]), item))

    assert found.messages
    assert any(each.text == NEIGHBOUR for each in found.messages)
    assert_sound(found)


@given(ANYTHING)
def test_it_accepts_any_json_from_the_wire(data: Any) -> None:
    assert_sound(parse(loads(json.dumps(data).encode())))
