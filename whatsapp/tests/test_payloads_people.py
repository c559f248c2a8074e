"""Who wrote, and to whom: phone numbers, business-scoped user IDs, contacts, and people who change numbers."""

from typing import Any

import pytest

from whatsapp.tests.factories import (
    BUSINESS,
    CUSTOMER,
    USER_ID,
    change,
    contact,
    delivery,
    echo,
    message,
    text_message,
)
from whatsapp.webhook.parsing import parse
from whatsapp.webhook.types import InboundMessage


def read(items: list[Any], contacts: list[Any] | None) -> list[InboundMessage]:
    return list(parse(delivery(change(messages=items, contacts=contacts))).messages)


def reasons(data: object) -> list[str]:
    return [rejected.reason for rejected in parse(data).rejected]


def test_it_takes_the_phone_number_from_the_message_and_the_name_from_the_contact() -> None:
    (found,) = read([text_message()], [contact("Ann Lee", profile={"name": " Ann Lee ", "username": "@ann"})])

    assert (found.phone, found.user_id) == (CUSTOMER, None)
    assert (found.name, found.username) == ("Ann Lee", "@ann")


@pytest.mark.parametrize("sender", ["+7 900 123-45-67", "+7 (900) 123.45.67", "\u200e79001234567\u200e", 79001234567])
def test_it_reduces_a_phone_number_to_its_digits(sender: Any) -> None:
    (found,) = read([text_message(sender=sender)], None)

    assert found.phone == CUSTOMER


def test_it_keeps_a_sender_that_is_not_a_phone_number() -> None:
    (found,) = read([text_message(sender="WHATSAPP_ID")], None)

    assert found.phone == "WHATSAPP_ID"


def test_it_needs_no_contacts() -> None:
    (found,) = read([text_message()], None)

    assert (found.phone, found.user_id, found.name, found.username) == (CUSTOMER, None, "", "")


def test_it_reads_a_customer_without_a_phone_number() -> None:
    item = text_message(sender=None, from_user_id=USER_ID)

    (found,) = read([item], [contact("Ann", wa_id=None, user_id=USER_ID)])

    assert (found.phone, found.user_id, found.name) == (None, USER_ID, "Ann")


def test_it_reads_a_customer_with_both_identities() -> None:
    (found,) = read([text_message(from_user_id=USER_ID)], [contact(user_id=USER_ID)])

    assert (found.phone, found.user_id) == (CUSTOMER, USER_ID)


def test_it_takes_the_user_id_from_the_contact_when_the_message_has_none() -> None:
    (found,) = read([text_message()], [contact(user_id=USER_ID)])

    assert (found.phone, found.user_id) == (CUSTOMER, USER_ID)


def test_it_takes_the_phone_number_from_the_contact_when_the_message_has_none() -> None:
    (found,) = read([text_message(sender=None, from_user_id=USER_ID)], [contact(user_id=USER_ID)])

    assert (found.phone, found.user_id) == (CUSTOMER, USER_ID)


def test_it_takes_all_from_the_only_contact_when_the_message_names_nobody() -> None:
    (found,) = read([text_message(sender=None)], [contact("Ann", wa_id=None, user_id=USER_ID)])

    assert (found.phone, found.user_id, found.name) == (None, USER_ID, "Ann")


def test_it_prefers_the_sender_to_a_contact_with_another_whatsapp_id() -> None:
    (found,) = read([text_message(sender="5215551234567")], [contact("Ann", wa_id="525551234567", user_id="MX.1")])

    assert (found.phone, found.user_id, found.name) == ("5215551234567", "MX.1", "Ann")


def test_it_prefers_the_messages_user_id_to_the_contacts() -> None:
    (found,) = read([text_message(from_user_id="RU.right")], [contact(user_id="RU.wrong")])

    assert found.user_id == "RU.right"


def test_it_gives_each_of_several_messages_its_own_contact() -> None:
    items = [
        text_message(sender="1"),
        text_message(sender=None, from_user_id="U.2"),
        text_message(sender="3"),
    ]
    contacts = [contact("Two", wa_id=None, user_id="U.2"), contact("One", wa_id="1", user_id="U.1")]

    found = read(items, contacts)

    assert [(each.phone, each.user_id, each.name) for each in found] == [
        ("1", "U.1", "One"),
        (None, "U.2", "Two"),
        ("3", None, ""),
    ]


def test_it_never_gives_one_persons_user_id_to_another() -> None:
    found = read([text_message(sender="1"), text_message(sender="2")], [contact(wa_id="1", user_id="U.1")])

    assert [(each.phone, each.user_id) for each in found] == [("1", "U.1"), ("2", None)]


def test_it_gives_an_unmatched_contact_to_nobody_when_two_people_wrote() -> None:
    found = read([text_message(sender="1"), text_message(sender="2")], [contact(wa_id="9", user_id="U.9")])

    assert [(each.phone, each.user_id, each.name) for each in found] == [("1", None, ""), ("2", None, "")]


@pytest.mark.parametrize(
    "contacts",
    [None, [], [None], "Ann", {}, [{}], [contact(wa_id=None)], [contact(wa_id="1"), contact(wa_id="2")]],
)
def test_it_rejects_a_message_that_nobody_sent(contacts: Any) -> None:
    value = change(messages=[text_message(sender=None), text_message("neighbour")], contacts=contacts)
    found = parse(delivery(value))

    assert reasons(delivery(value)) == ["no sender"]
    assert [each.text for each in found.messages] == ["neighbour"]


@pytest.mark.parametrize("name", [None, 7.5, True, ["x"], {}, "\x00"])
def test_it_reads_a_message_whose_contact_has_an_odd_name(name: Any) -> None:
    (found,) = read([text_message()], [contact(profile={"name": name}), contact("x", wa_id="1")])

    assert found.name in ("", "7.5")


def test_it_cuts_names_to_what_the_database_holds() -> None:
    profile = {"name": "n" * 10_000, "username": "u" * 10_000}

    (found,) = read([text_message()], [contact(profile=profile)])

    assert (found.name, found.username) == ("n" * 255, "u" * 255)


@pytest.mark.parametrize(
    "more",
    [
        {"id": "w" * 1001},
        {"from": "7" * 10_000},
        {"from": int("7" * 256)},
        {"from_user_id": "U" * 256},
        {"type": "reaction", "reaction": {"message_id": "w" * 1001, "emoji": "👍"}},
        {"type": "system", "system": {"type": "user_changed_number", "body": "moved", "wa_id": "7" * 256}},
    ],
)
def test_it_rejects_ids_that_are_too_long(more: dict[str, Any]) -> None:
    value = change(messages=[{**text_message(), **more}, text_message("neighbour")])

    assert reasons(delivery(value)) == ["id too long"]
    assert [each.text for each in parse(delivery(value)).messages] == ["neighbour"]


def test_it_accepts_ids_of_255_characters() -> None:
    (found,) = read([{**text_message(), "id": "w" * 255}], None)

    assert found.wamid == "w" * 255


def test_it_rejects_a_phone_number_id_that_is_too_long() -> None:
    (rejected,) = parse(delivery(change(messages=[text_message()], phone_number_id="1" * 256))).rejected

    assert (rejected.reason, rejected.phone_number_id) == ("id too long", "1" * 255)


@pytest.mark.parametrize("metadata", [None, {}, [], "x", {"phone_number_id": None}, {"phone_number_id": [1]}])
def test_it_rejects_messages_without_a_business_number(metadata: Any) -> None:
    value = change(messages=[text_message()], statuses=[{"id": "w", "status": "sent"}], metadata=metadata)

    assert reasons(delivery(value)) == ["no phone_number_id", "no phone_number_id"]


def test_it_accepts_ids_that_are_numbers() -> None:
    value = change(messages=[{**text_message(), "id": 12}], metadata={"phone_number_id": 345})

    (found,) = parse(delivery(value)).messages

    assert (found.wamid, found.phone_number_id, found.display_phone_number) == ("12", "345", "")


def test_it_reads_a_new_phone_number() -> None:
    system = {"type": "user_changed_number", "body": "moved", "wa_id": "79007654321"}

    (found,) = read([message("system", system)], None)

    assert (found.phone, found.moved_to_phone, found.moved_to_user_id) == (CUSTOMER, "79007654321", None)


def test_it_reads_a_new_phone_number_of_the_older_form() -> None:
    system = {"type": "user_changed_number", "body": "moved", "new_wa_id": "79007654321", "wa_id": CUSTOMER}

    (found,) = read([message("system", system)], None)

    assert found.moved_to_phone == "79007654321"


def test_it_reads_the_new_user_id_that_comes_with_a_new_number() -> None:
    system = {
        "type": "user_changed_number",
        "body": "moved",
        "wa_id": "79007654321",
        "user_id": "RU.new",
        "previous_user_id": "RU.old",
    }

    (found,) = read([message("system", system)], None)

    assert (found.phone, found.user_id) == (CUSTOMER, "RU.old")
    assert (found.moved_to_phone, found.moved_to_user_id) == ("79007654321", "RU.new")


@pytest.mark.parametrize("more", [{}, {"from_user_id": "RU.old"}, {"from_user_id": "RU.new"}])
def test_it_reads_a_new_user_id_without_any_phone_number(more: dict[str, Any]) -> None:
    system = {"type": "user_changed_user_id", "user_id": "RU.new", "previous_user_id": "RU.old"}

    (found,) = read([message("system", system, sender=None, **more)], None)

    assert (found.phone, found.user_id) == (None, "RU.old")
    assert (found.moved_to_phone, found.moved_to_user_id) == (None, "RU.new")


def test_it_moves_nobody_to_where_they_are() -> None:
    system = {"type": "user_changed_number", "body": "same", "wa_id": CUSTOMER, "user_id": USER_ID}

    (found,) = read([message("system", system, from_user_id=USER_ID)], None)

    assert (found.moved_to_phone, found.moved_to_user_id) == (None, None)


def test_it_moves_nobody_for_another_system_message() -> None:
    system = {"type": "customer_identity_changed", "body": "new keys", "wa_id": "1", "user_id": "RU.2"}

    (found,) = read([message("system", system)], None)

    assert (found.text, found.moved_to_phone, found.moved_to_user_id) == ("new keys", None, None)


def test_it_reads_to_whom_the_business_wrote() -> None:
    value = change(message_echoes=[echo(to_user_id=USER_ID)], contacts=[contact("Ann", user_id=USER_ID)])

    (found,) = parse(delivery(value)).echoes

    assert (found.phone, found.user_id, found.name) == (CUSTOMER, USER_ID, "Ann")


def test_it_reads_an_echo_to_a_customer_without_a_phone_number() -> None:
    (found,) = parse(delivery(change(message_echoes=[echo(to=None, to_user_id=USER_ID)]))).echoes

    assert (found.phone, found.user_id) == (None, USER_ID)


def test_it_does_not_mistake_the_business_for_the_customer() -> None:
    business = contact("Our shop", wa_id=BUSINESS, user_id="US.business")

    (found,) = parse(delivery(change(message_echoes=[echo()], contacts=[business]))).echoes

    assert (found.phone, found.user_id, found.name) == (CUSTOMER, None, "")


def test_it_rejects_an_echo_to_nobody() -> None:
    assert reasons(delivery(change(message_echoes=[echo(to=None)]))) == ["no sender"]
