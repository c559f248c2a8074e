"""Status updates of the messages we sent."""

from datetime import UTC, datetime
from typing import Any

import pytest

from whatsapp.tests.factories import PHONE_NUMBER_ID, SENT_AT, change, delivery, error, status
from whatsapp.webhook.parsing import as_body, parse
from whatsapp.webhook.types import StatusUpdate


def only(item: Any) -> StatusUpdate:
    (found,) = parse(delivery(change(statuses=[item]))).statuses
    return found


def test_it_reads_a_status() -> None:
    item = status("delivered", wamid="wamid.1", message_id=42, pricing={"billable": True})

    assert only(item) == StatusUpdate(
        phone_number_id=PHONE_NUMBER_ID,
        wamid="wamid.1",
        message_id=42,
        status="delivered",
        at=datetime.fromtimestamp(SENT_AT, UTC),
        error_code=None,
        error_detail="",
        raw=item,
    )


@pytest.mark.parametrize(
    ("word", "meaning"),
    [
        ("sent", "sent"),
        ("delivered", "delivered"),
        ("read", "read"),
        ("played", "read"),
        ("FAILED", "failed"),
    ],
)
def test_it_knows_what_a_word_means(word: str, meaning: str) -> None:
    assert only(status(word)).status == meaning


@pytest.mark.parametrize("tracker", ["1", 7, "9223372036854775807", " 12 "])
def test_it_reads_our_own_id(tracker: Any) -> None:
    assert only(status(biz_opaque_callback_data=tracker)).message_id == int(tracker)


@pytest.mark.parametrize(
    "tracker",
    [
        None,
        "",
        "some data",
        "0",
        "-1",
        "+1",
        "01",
        "1.0",
        1.5,
        True,
        "9223372036854775808",
        "1" * 400,
        "٣",
        "1_0",
        {},
        [],
    ],
)
def test_it_accepts_nothing_else_as_our_own_id(tracker: Any) -> None:
    assert only(status(biz_opaque_callback_data=tracker)).message_id is None


def test_it_finds_a_status_by_our_own_id_alone() -> None:
    found = only({"status": "sent", "biz_opaque_callback_data": "42"})

    assert (found.wamid, found.message_id, found.at) == (None, 42, None)


@pytest.mark.parametrize(
    ("errors", "code", "detail"),
    [
        (
            [error(131047, "Re-engagement message", "More than 24 hours have passed")],
            131047,
            "Re-engagement message: More than 24 hours have passed",
        ),
        ([{"code": "131026", "title": "Message undeliverable"}], 131026, "Message undeliverable"),
        ([{"code": 1, "message": "Only a message"}], 1, "Only a message"),
        ([{"code": 1, "title": "A", "message": "B"}], 1, "A: B"),
        ([{"code": 1, "title": "A", "error_data": {"details": "A"}}], 1, "A"),
        ([{"code": 9_999_999_999}], None, ""),
        ([{"code": "many"}], None, ""),
        ({"code": 3, "title": "No list"}, 3, "No list"),
        ([None], None, ""),
        ("broken", None, ""),
        ([], None, ""),
        (None, None, ""),
    ],
)
def test_it_says_why_a_message_failed(errors: Any, code: int | None, detail: str) -> None:
    found = only(status("failed", errors=errors))

    assert (found.error_code, found.error_detail) == (code, detail)


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        ({"status": "sent"}, "status without id"),
        ({"status": "sent", "biz_opaque_callback_data": "x"}, "status without id"),
        ({"id": "wamid.1", "status": "warning"}, "unknown status: warning"),
        ({"id": "wamid.1", "status": "z" * 999}, "unknown status: " + "z" * 100),
        ({"id": "wamid.1"}, "unknown status:"),
        ({"id": "wacid.1", "type": "call", "status": "RINGING"}, "call status"),
        ({"id": "w" * 1001, "status": "sent"}, "id too long"),
        (None, "not an object"),
        ("sent", "not an object"),
    ],
)
def test_it_rejects_what_is_not_a_message_status(item: Any, reason: str) -> None:
    found = parse(delivery(change(statuses=[item, status("read")])))

    assert [rejected.reason for rejected in found.rejected] == [reason]
    assert [update.status for update in found.statuses] == ["read"]


def test_it_makes_a_body_that_gives_the_same_status() -> None:
    found = only(status("failed", message_id=42, errors=[error(131026, "Message undeliverable")]))

    assert parse(as_body(found)).statuses == (found,)
