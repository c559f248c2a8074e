"""Every kind of message as readable text."""

import json
from typing import Any

import pytest

from whatsapp.tests.factories import EXAMPLES, error, inbound, message, text_message
from whatsapp.webhook.parsing import parse
from whatsapp.webhook.types import InboundMessage

KNOWN = [(kind, content, text) for kind, content, text in EXAMPLES if kind != "hologram"]


def only(*items: dict[str, Any]) -> InboundMessage:
    (found,) = parse(inbound(*items)).messages
    return found


@pytest.mark.parametrize(("kind", "content", "text"), KNOWN)
def test_it_reads(kind: str, content: Any, text: str) -> None:
    found = only(message(kind, content))

    assert (found.kind, found.text) == (kind, text)


@pytest.mark.parametrize(("kind", "content", "text"), KNOWN)
def test_it_reads_the_kind_in_any_case(kind: str, content: Any, text: str) -> None:
    item = {**message(kind, content), "type": kind.upper()}

    assert (only(item).kind, only(item).text) == (kind, text)


@pytest.mark.parametrize(
    ("kind", "content", "text"), [example for example in KNOWN if example[1] and example[0] != "unsupported"]
)
def test_it_finds_the_kind_by_its_content_when_the_type_is_missing(kind: str, content: Any, text: str) -> None:
    item = message(kind, content)
    del item["type"]

    assert (only(item).kind, only(item).text) == (kind, text)


def test_it_stores_a_type_it_does_not_know_as_unsupported() -> None:
    found = only(message("hologram", {"caption": "Look"}))

    assert (found.kind, found.text) == ("unsupported", "[unsupported message: hologram] Look")
    assert found.raw["hologram"] == {"caption": "Look"}


def test_it_reads_a_bare_message_of_unknown_type() -> None:
    found = only({"type": "unknown_xyz", "from": "123"})

    assert (found.kind, found.text, found.wamid) == (
        "unsupported",
        "[unsupported message: unknown_xyz]",
        None,
    )


@pytest.mark.parametrize("kind", ["unsupported", "unknown"])
def test_it_says_what_meta_said_of_an_unsupported_message(kind: str) -> None:
    errors = [error(131051, "Message type unknown", "Message type is currently not supported.")]

    found = only(message(kind, errors=errors))

    expected = "[unsupported message] Message type unknown: Message type is currently not supported."
    assert (found.kind, found.text) == ("unsupported", expected)


def test_it_reads_details_of_the_older_form_of_error() -> None:
    errors = [{"code": 131051, "title": "Unsupported message type", "details": "Not supported"}]

    assert only(message("unknown", errors=errors)).text.endswith("Unsupported message type: Not supported")


def test_it_never_repeats_an_error() -> None:
    errors = [{"code": 1, "title": "Gone", "message": "Gone"}]

    assert only(message("unsupported", errors=errors)).text == "[unsupported message] Gone"


def test_it_keeps_a_message_whose_content_meta_could_not_deliver() -> None:
    errors = [error(131000, "Something went wrong", "Unsupported webhook payload")]

    found = parse(inbound(message("interactive"), errors=errors))

    assert not found.rejected
    assert found.messages[0].kind == "unsupported"
    assert found.messages[0].text == (
        "[unsupported message: interactive] Something went wrong: Unsupported webhook payload"
    )
    assert found.messages[0].raw["errors"] == errors


def test_it_reads_a_good_message_beside_errors_as_if_there_were_none() -> None:
    assert only_with_errors(text_message("Hello")).text == "Hello"


def only_with_errors(item: dict[str, Any]) -> InboundMessage:
    found = parse(inbound(item, errors=[error(131000, "Something went wrong")]))
    assert not found.rejected
    return found.messages[0]


def test_it_names_the_product_that_was_asked_about() -> None:
    context = {
        "id": "wamid.catalogue",
        "referred_product": {"catalog_id": "5", "product_retailer_id": "MUG-7"},
    }

    assert only(text_message("Still there?", context=context)).text == "[about product MUG-7] Still there?"


@pytest.mark.parametrize(
    "items",
    [
        [{"product_retailer_id": "A", "quantity": 1, "item_price": 5, "currency": "EUR"},
         {"product_retailer_id": "B", "quantity": 1, "item_price": 5, "currency": "USD"}],
        [{"product_retailer_id": "A", "quantity": "many", "item_price": 5, "currency": "EUR"}],
        [{"product_retailer_id": "A", "quantity": 1, "currency": "EUR"}],
        [{"product_retailer_id": "A", "quantity": 1, "item_price": "1e9999", "currency": "EUR"}],
        [{"product_retailer_id": "A", "quantity": "NaN", "item_price": 1, "currency": "EUR"}],
        [],
    ],
)  # fmt: skip
def test_it_sums_an_order_only_where_the_sum_is_certain(items: list[dict[str, Any]]) -> None:
    assert "total" not in only(message("order", {"product_items": items})).text


def test_it_says_what_is_missing_in_an_order() -> None:
    text = only(message("order", {"product_items": [{"quantity": 2}, {"product_retailer_id": "A"}]})).text

    assert text == "[order]\n2 × unnamed product\n? × A"


def test_it_cleans_the_json_within_the_json_of_a_form() -> None:
    answers = json.dumps({"a\x00b": "c\x00d\ud800"})
    content = {"type": "nfm_reply", "nfm_reply": {"response_json": answers}}

    assert only(message("interactive", content)).text == "[form] ab: cd\ufffd"


@pytest.mark.parametrize("answers", ["[" * 100_000, "7" * 5000, "null", "[1]", '{"a": NaN}', "", 7, None])
def test_it_survives_any_answer_to_a_form(answers: object) -> None:
    content = {"type": "nfm_reply", "nfm_reply": {"response_json": answers, "name": "flow"}}

    assert only(message("interactive", content)).text.startswith("[form]")


@pytest.mark.parametrize("body", ["x" * 65_536, "Z͑ͫ̓ͪ̂ͫ̽͏̴̙̤̞͉͚̯̞̠͍A" * 500, "\u202eسلام\u202c", "  spaces \n\n kept  "])
def test_it_keeps_a_text_whole(body: str) -> None:
    assert only(text_message(body)).text == body


@pytest.mark.parametrize(
    "item",
    [
        {"type": None},
        {"type": "text"},
        {"type": "text", "text": None},
        {"type": "text", "text": {"body": None}},
        {"type": "text", "text": {"body": ""}},
        {"type": "text", "text": {"body": "\x00"}},
        {"type": "text", "text": {"id": "7", "type": "x"}},
        {"context": {"id": "wamid.quoted"}},
        {
            "identity": {"hash": "x", "acknowledged": True},
            "group_id": "g",
            "recipient_type": "group",
            "username": "ann",
        },
    ],
)
def test_it_rejects_a_message_without_content(item: dict[str, Any]) -> None:
    found = parse(inbound({"from": "79001234567", "id": "wamid.empty", **item}, text_message("neighbour")))

    assert [rejected.reason for rejected in found.rejected] == ["no content"]
    assert [message.text for message in found.messages] == ["neighbour"]
