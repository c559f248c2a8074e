"""What else is known about a message: its source, its time, and whether it needs an answer."""

from datetime import UTC, datetime
from typing import Any

import pytest

from whatsapp.tests.factories import (
    BUSINESS,
    EXAMPLES,
    PHONE_NUMBER_ID,
    SENT_AT,
    change,
    contact,
    delivery,
    echo,
    inbound,
    message,
    status,
    text_message,
)
from whatsapp.webhook.parsing import as_body, parse
from whatsapp.webhook.types import InboundMessage

CURL = {
    "object": "whatsapp_business_account",
    "entry": [
        {
            "id": "1",
            "changes": [
                {
                    "value": {
                        "metadata": {"phone_number_id": "YOUR_PHONE_NUMBER_ID"},
                        "messages": [{"from": "79001234567", "type": "text", "text": {"body": "Hello"}}],
                    }
                }
            ],
        }
    ],
}


def only(item: Any) -> InboundMessage:
    (found,) = parse(inbound(item)).messages
    return found


def test_it_reads_the_curl_of_the_report() -> None:
    (found,) = parse(CURL).messages

    assert found == InboundMessage(
        phone_number_id="YOUR_PHONE_NUMBER_ID",
        display_phone_number="",
        phone="79001234567",
        user_id=None,
        name="",
        username="",
        wamid=None,
        kind="text",
        text="Hello",
        sent_at=None,
        reply_to=None,
        target=None,
        group_id=None,
        raw={"from": "79001234567", "type": "text", "text": {"body": "Hello"}},
        referral=None,
        needs_answer=True,
        at_once=False,
        moved_to_phone=None,
        moved_to_user_id=None,
    )


def test_it_reads_every_message_of_every_change_of_every_entry_in_order() -> None:
    one = delivery(change(messages=[text_message("1"), text_message("2")]), change(messages=[text_message("3")]))
    two = delivery(change(messages=[text_message("4")], phone_number_id="999"))

    found = parse({**one, "entry": [*one["entry"], *two["entry"]]}).messages

    assert [each.text for each in found] == ["1", "2", "3", "4"]
    assert [each.phone_number_id for each in found] == [PHONE_NUMBER_ID] * 3 + ["999"]


def test_it_reads_messages_and_statuses_of_one_change() -> None:
    found = parse(delivery(change(messages=[text_message()], statuses=[status(), status("read")])))

    assert (len(found.messages), len(found.statuses), len(found.rejected)) == (1, 2, 0)


def test_it_accepts_a_single_value_where_meta_sends_a_list() -> None:
    data = delivery(change(messages=[], contacts=[]))
    data["entry"][0]["changes"][0]["value"].update(messages=text_message("one"), contacts=contact("Ann"))
    data["entry"] = {**data["entry"][0], "changes": data["entry"][0]["changes"][0]}

    (found,) = parse(data).messages

    assert (found.text, found.name) == ("one", "Ann")


def test_it_keeps_the_raw_item() -> None:
    item = text_message("Hello", brand_new={"key": [1, None, True]})

    assert only(item).raw == item


@pytest.mark.parametrize(("kind", "content"), [(kind, content) for kind, content, _ in EXAMPLES])
def test_it_answers_what_a_customer_wrote_and_nothing_else(kind: str, content: Any) -> None:
    silent = kind in ("reaction", "edit", "revoke", "system", "request_welcome")
    silent = silent or (kind == "interactive" and content["type"] == "call_permission_reply")

    assert only(message(kind, content)).needs_answer is not silent


@pytest.mark.parametrize(("kind", "content"), [(kind, content) for kind, content, _ in EXAMPLES])
def test_it_does_not_wait_after_a_tap(kind: str, content: Any) -> None:
    tap = kind == "button" or (kind == "interactive" and content["type"] in ("button_reply", "list_reply"))

    assert only(message(kind, content)).at_once is tap


@pytest.mark.parametrize(
    ("kind", "content", "target"),
    [
        ("reaction", {"message_id": "wamid.1", "emoji": "👍"}, "wamid.1"),
        ("reaction", {"message_id": "wamid.1"}, "wamid.1"),
        ("reaction", {"emoji": "👍"}, None),
        ("edit", {"original_message_id": "wamid.1", "message": text_message("new")}, "wamid.1"),
        ("revoke", {"original_message_id": "wamid.1"}, "wamid.1"),
        ("text", {"body": "x", "message_id": "wamid.1"}, None),
    ],
)
def test_it_says_which_message_is_meant(kind: str, content: Any, target: str | None) -> None:
    assert only(message(kind, content)).target == target


@pytest.mark.parametrize(
    ("context", "reply_to"),
    [
        ({"from": BUSINESS, "id": "wamid.quoted"}, "wamid.quoted"),
        ({"forwarded": True}, None),
        ({}, None),
        ("wamid.quoted", None),
        (None, None),
    ],
)
def test_it_reads_what_a_message_quotes(context: Any, reply_to: str | None) -> None:
    assert only(text_message(context=context)).reply_to == reply_to


def test_it_keeps_the_advertisement() -> None:
    referral = {"source_type": "ad", "source_id": "77", "headline": "Spring sale", "ctwa_clid": "c1"}

    assert only(text_message(referral=referral)).referral == referral


@pytest.mark.parametrize("referral", [None, {}, [], "ad"])
def test_it_finds_no_advertisement_if_there_is_none(referral: Any) -> None:
    assert only(text_message(referral=referral)).referral is None


STAMP = 1_772_000_000


@pytest.mark.parametrize("stamp", [STAMP, str(STAMP), f" {STAMP} ", STAMP * 1000, str(STAMP * 1000)])
def test_it_reads_seconds_and_milliseconds(stamp: Any) -> None:
    assert only(text_message(timestamp=stamp)).sent_at == datetime(2026, 2, 25, 6, 13, 20, tzinfo=UTC)


def test_it_does_not_compare_a_time_with_the_clock() -> None:
    sent_at = only(text_message(timestamp="4102444799")).sent_at

    assert sent_at == datetime(2099, 12, 31, 23, 59, 59, tzinfo=UTC)


@pytest.mark.parametrize(
    "stamp",
    [
        None,
        "",
        0,
        -1,
        "-5",
        "soon",
        "2026-02-25",
        "٣",
        True,
        [],
        1.5,
        32503680000,
        "32503680000000",
        "9" * 400,
        10**30,
    ],
)
def test_an_absurd_time_is_unknown(stamp: Any) -> None:
    assert only(text_message(timestamp=stamp)).sent_at is None


@pytest.mark.parametrize("wamid", [None, "", " ", [], {}, True])
def test_it_accepts_a_message_without_an_id(wamid: Any) -> None:
    assert only({**text_message(), "id": wamid}).wamid is None


def test_it_reads_what_a_person_of_the_business_wrote() -> None:
    item = echo(context={"id": "wamid.quoted"})

    found = parse(delivery(change(message_echoes=[item])))

    assert (found.messages, found.rejected) == ((), ())
    assert found.echoes[0].text == "Hello, this is Bo."
    assert (found.echoes[0].phone_number_id, found.echoes[0].display_phone_number) == (
        PHONE_NUMBER_ID,
        BUSINESS,
    )
    assert (found.echoes[0].wamid, found.echoes[0].reply_to) == (item["id"], "wamid.quoted")
    assert found.echoes[0].sent_at == datetime.fromtimestamp(SENT_AT, UTC)
    assert found.echoes[0].raw == item


@pytest.mark.parametrize(
    ("kind", "content", "text", "target"),
    [
        ("edit", {"original_message_id": "wamid.1", "message": text_message("better")}, "better", "wamid.1"),
        ("revoke", {"original_message_id": "wamid.1"}, "[message deleted]", "wamid.1"),
        ("image", {"caption": "menu"}, "[image] menu", None),
    ],
)
def test_it_reads_an_echo_of_any_kind(kind: str, content: Any, text: str, target: str | None) -> None:
    (found,) = parse(delivery(change(message_echoes=[echo(kind, content)]))).echoes

    assert (found.kind, found.text, found.target) == (kind, text, target)


@pytest.mark.parametrize("field", [None, "", {}, []])
@pytest.mark.parametrize("key", ["messages", "statuses", "message_echoes"])
def test_it_knows_by_the_content_what_a_change_without_a_field_is(field: Any, key: str) -> None:
    item = {"messages": text_message(), "statuses": status(), "message_echoes": echo()}[key]
    value = change()
    value["value"][key] = [item]

    found = parse(delivery({**value, "field": field}))

    assert not found.rejected
    read: tuple[Any, ...] = (*found.messages, *found.statuses, *found.echoes)
    assert [each.raw for each in read] == [item]


@pytest.mark.parametrize(("kind", "content"), [(kind, content) for kind, content, _ in EXAMPLES])
def test_it_makes_a_body_that_gives_the_same_message(kind: str, content: Any) -> None:
    item = message(kind, content, context={"id": "wamid.q"}, from_user_id="RU.9")
    (found,) = parse(inbound(item)).messages
    (sent,) = parse(delivery(change(message_echoes=[echo(kind, content)], contacts=[contact()]))).echoes

    assert parse(as_body(found)).messages == (found,)
    assert parse(as_body(sent)).echoes == (sent,)
