"""What is quarantined, why, and how it's replayed."""

from typing import Any

import pytest

from whatsapp.tests.factories import (
    PHONE_NUMBER_ID,
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
from whatsapp.webhook.parsing import parse
from whatsapp.webhook.types import Rejected, WebhookBody


def only(data: object) -> Rejected:
    (found,) = parse(data).rejected
    return found


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (None, "not an object"),
        (7, "not an object"),
        ("text", "not an object"),
        ([], "not an object"),
        ([inbound()], "not an object"),
        ({}, "no content"),
        ({"object": "whatsapp_business_account"}, "no content"),
        ({"object": "whatsapp_business_account", "entry": []}, "no content"),
        ({"object": "whatsapp_business_account", "entry": None}, "no content"),
        ({"object": "instagram", "entry": []}, "wrong object"),
        ({**inbound(), "object": "page"}, "wrong object"),
        ({"body": "neither"}, "not an object"),
    ],
)
def test_it_quarantines_a_whole_body_of_another_shape(data: Any, reason: str) -> None:
    found = parse(data)

    raw = data if isinstance(data, dict) and "body" in data else {"body": data}
    assert found.rejected == (Rejected(reason=reason, field="", phone_number_id="", raw=raw),)
    assert (found.messages, found.echoes, found.statuses) == ((), (), ())


@pytest.mark.parametrize("part", [None, 7, "x", [], {}, {"changes": None}, {"changes": []}])
def test_it_quarantines_an_entry_of_another_shape(part: Any) -> None:
    data = {**inbound(), "entry": [part, *inbound(text_message("neighbour"))["entry"]]}

    assert only(data).reason == ("no content" if isinstance(part, dict) else "not an object")
    assert only(data).raw == {"object": "whatsapp_business_account", "entry": [part]}
    assert [each.text for each in parse(data).messages] == ["neighbour"]


@pytest.mark.parametrize(
    ("part", "reason"),
    [
        (None, "not an object"),
        ("x", "not an object"),
        ({}, "not an object"),
        ({"field": "messages"}, "not an object"),
        ({"field": "messages", "value": []}, "not an object"),
        ({"field": "messages", "value": {}}, "no content"),
        ({"field": "messages", "value": {"messages": [], "statuses": None}}, "no content"),
        ({"field": "smb_message_echoes", "value": {"messages": [text_message()]}}, "no content"),
    ],
)
def test_it_quarantines_a_change_of_another_shape(part: Any, reason: str) -> None:
    data = delivery(part, change(messages=[text_message("neighbour")]))

    assert only(data).reason == reason
    assert only(data).raw["entry"] == [{"id": "303030303030", "changes": [part]}]
    assert [each.text for each in parse(data).messages] == ["neighbour"]


@pytest.mark.parametrize("part", [None, 7, "x", [], [text_message()]])
@pytest.mark.parametrize("key", ["messages", "statuses", "message_echoes"])
def test_it_quarantines_an_item_of_another_shape(part: Any, key: str) -> None:
    neighbour = {"messages": text_message(), "statuses": status(), "message_echoes": echo()}[key]
    items: Any = {key: [part, neighbour]}

    found = parse(delivery(change(**items)))

    assert [rejected.reason for rejected in found.rejected] == ["not an object"]
    assert len(found.messages + found.statuses + found.echoes) == 1


@pytest.mark.parametrize("field", ["account_update", "calls", "history", "user_preferences", "standby", "  flows "])
def test_it_quarantines_unknown_fields_by_name(field: str) -> None:
    part = change(field=field, messages=[text_message()])

    found = parse(delivery(part, change(messages=[text_message("neighbour")])))

    assert found.rejected == (
        Rejected(
            reason=f"unknown field: {field.strip()}",
            field=field.strip(),
            phone_number_id=PHONE_NUMBER_ID,
            raw=delivery(part),
        ),
    )
    assert [each.text for each in found.messages] == ["neighbour"]


def test_it_cleans_and_cuts_the_name_of_a_field() -> None:
    found = only(delivery(change(field="a\x00b" + "c" * 10_000)))

    assert found.field == ("ab" + "c" * 98)
    assert found.reason == f"unknown field: {found.field}"


@pytest.mark.parametrize(
    ("errors", "reason"),
    [
        (
            [error(130429, "Rate limit hit", "Too many messages")],
            "errors: 130429 Rate limit hit: Too many messages",
        ),
        ([{"code": 400}], "errors: 400"),
        ([{"title": "t" * 999}], "errors: " + "t" * 247),
        ("broken", "errors:"),
    ],
)
def test_it_quarantines_errors_without_a_message(errors: Any, reason: str) -> None:
    found = only(delivery(change(errors=errors)))

    assert (found.reason, found.field) == (reason, "messages")


def test_it_loses_neither_errors_nor_the_statuses_beside_them() -> None:
    found = parse(delivery(change(statuses=[status("sent")], errors=[error(1, "Odd")])))

    assert [rejected.reason for rejected in found.rejected] == ["errors: 1 Odd"]
    raw: Any = found.rejected[0].raw
    assert "statuses" not in raw["entry"][0]["changes"][0]["value"]
    assert len(found.statuses) == 1


def test_it_quarantines_one_item_with_only_its_surroundings() -> None:
    bad = {"from": "2", "id": "wamid.bad", "type": "text"}
    contacts = [contact("One", wa_id="1"), contact("Two", wa_id="2")]
    data = delivery(change(messages=[text_message(sender="1"), bad], contacts=contacts, statuses=[status()]))

    assert only(data) == Rejected(
        reason="no content",
        field="messages",
        phone_number_id=PHONE_NUMBER_ID,
        raw=delivery(change(messages=[bad], contacts=[contacts[1]])),
    )


def test_it_reads_a_rejected_item_once_it_is_fixed() -> None:
    bad = message("text", sender=None)
    raw: Any = only(delivery(change(messages=[bad, text_message()], contacts=[contact("Ann", user_id="RU.1")]))).raw
    raw["entry"][0]["changes"][0]["value"]["messages"][0]["text"] = {"body": "mended"}

    (found,) = parse(raw).messages

    assert (found.text, found.name, found.user_id, found.wamid) == ("mended", "Ann", "RU.1", bad["id"])


REJECTED: list[Any] = [
    None,
    {},
    [1],
    {"body": {"body": 1}},
    {"object": "page", "entry": [{"id": 1}]},
    {"entry": [None, 5, [], {}, {"id": [], "changes": {"value": 1}}]},
    delivery({}, change(), change(field="calls"), change(errors=[{"code": 1}], statuses=[status()])),
    delivery(change(messages=[{}, None, [], message("text"), text_message(sender=None)])),
    delivery(change(messages=[message("text")], errors=[{"code": None}], metadata=7)),
    delivery(change(statuses=[{}, 1, status("odd")], contacts=[contact(), contact(wa_id="1")])),
    delivery(change(message_echoes=[echo(to=None), echo("text", {"body": 7.5, "x": "\x00"}, id="w" * 300)])),
]


@pytest.mark.parametrize("data", REJECTED)
def test_it_rejects_again_what_it_has_rejected(data: Any) -> None:
    found = parse(data).rejected

    assert found
    for rejected in found:
        assert parse(rejected.raw) == WebhookBody((), (), (), (rejected,))


def test_what_comes_after_1000_items_is_one_rejected_item_that_can_be_replayed() -> None:
    found = parse(inbound(*(text_message(str(number)) for number in range(2500))))

    assert [message.text for message in found.messages] == [str(number) for number in range(1000)]
    (rest,) = found.rejected
    assert (rest.reason, rest.phone_number_id) == ("more than 1,000 items", PHONE_NUMBER_ID)
    again = parse(rest.raw)
    assert [message.text for message in again.messages] == [str(number) for number in range(1000, 2000)]
    assert [message.text for message in parse(again.rejected[0].raw).messages][-1] == "2499"


def test_a_million_entries_are_1001_rejected_items() -> None:
    found = parse({"object": "whatsapp_business_account", "entry": [1] * 1_000_000})

    assert len(found.rejected) == 1001
    assert found.rejected[-1].reason == "more than 1,000 items"
