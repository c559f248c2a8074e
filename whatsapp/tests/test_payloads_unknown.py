"""Unknown kinds inside known ones: what a customer sent is a message in readable words, whatever Meta calls it."""

from typing import Any

import pytest

from conversations.models import ConversationMessage
from tests.stage import Stage
from whatsapp.models import QuarantinedEvent
from whatsapp.webhook.parsing import as_body, parse

from .factories import CUSTOMER, change, contact, delivery, error, inbound, message, status, text_message

MEDIA = {"id": "4040404040", "mime_type": "audio/ogg", "sha256": "c2hhMjU2"}
POLL = {"type": "poll_reply", "poll_reply": {"id": "7", "question": "Which day?", "options": ["Monday", "Friday"]}}

KINDS: list[tuple[dict[str, Any], str, str]] = [
    # Known kinds without the content that's described.
    (message("image"), "image", "[image]"),
    (message("image", {}), "image", "[image]"),
    (message("image", None, image="broken"), "image", "[image] broken"),
    (message("location", {"accuracy": 5}), "location", "[location]"),
    (message("location", {}), "location", "[location]"),
    (message("contacts", [{}]), "contacts", "[contact]"),
    (message("contacts", []), "contacts", "[contact]"),
    (message("contacts", [{"name": {}}, {"name": {"formatted_name": "Bo"}}]), "contacts", "[contact]\n[contact] Bo"),
    (message("contacts", [None, 7]), "contacts", "[contact] 7"),
    (message("order", {}), "order", "[order]"),
    (message("button", {}), "button", "[button]"),
    (message("button", None, button="Yes"), "button", "[button] Yes"),
    (message("system", {}), "system", "[system message]"),
    (message("reaction", {}), "reaction", "[reaction]"),
    (message("text", None, text="bare"), "text", "bare"),
    (message("text", {"body": ["in", "parts"]}), "text", "in, parts"),
    # Unknown answers to interactive messages.
    (message("interactive", {}), "interactive", "[interactive message]"),
    (message("interactive", {"type": "button_reply"}), "interactive", "[interactive: button reply]"),
    (
        message("interactive", POLL),
        "interactive",
        "[interactive: poll reply] question: Which day?, options: Monday, options: Friday",
    ),
    (message("interactive", {"type": "vote", "vote": {"stars": 4}}), "interactive", "[interactive: vote] stars: 4"),
    (message("interactive", {"type": "slot", "slot": {"id": "slot-9"}}), "interactive", "[interactive: slot] slot-9"),
    (message("interactive", {"action": {"name": "book"}}), "interactive", "[interactive] book"),
    # A caption where none was expected.
    (message("audio", {**MEDIA, "caption": "audio"}), "audio", "[audio] audio"),
    (message("audio", {**MEDIA, "voice": True, "caption": "My order"}), "audio", "[voice note] My order"),
    (message("sticker", {**MEDIA, "caption": "Hi"}), "sticker", "[sticker] Hi"),
    (message("location", {"latitude": 1, "longitude": 2, "caption": "Here"}), "location", "[location] (1, 2) Here"),
    (message("contacts", [{"name": {"formatted_name": "Bo"}}], caption="My boss"), "contacts", "[contact] Bo My boss"),
    (message("image", MEDIA, caption="beside it"), "image", "[image] beside it"),
    (text_message("Look", caption="at this"), "text", "Look at this"),
    # Types that didn't exist when this was written.
    (message("hologram", {"body": "Look", "size": 3}), "unsupported", "[unsupported message: hologram] Look, size: 3"),
    (message("event", {"name": "Party", "location": {"name": "Old Mill"}, "start_time": 1}), "unsupported",
     "[unsupported message: event] Party, Old Mill, start time: 1"),
    (message("poll_creation", {"name": "Lunch?", "options": [{"name": "Soup"}, {"name": "Rice"}]}), "unsupported",
     "[unsupported message: poll_creation] Lunch?, Soup, Rice"),
    (message("gift", None, gift="a\u202egpj.exe\x00\n"), "unsupported", "[unsupported message: gift] agpj.exe"),
    ({"from": CUSTOMER, "id": "wamid.bare", "poll": {"name": "Lunch?"}}, "unsupported",
     "[unsupported message: poll] Lunch?"),
    (message("poll", None, poll_update={"vote": "Soup"}), "unsupported", "[unsupported message: poll] vote: Soup"),
    (message("text", None, body="beside it"), "text", "beside it"),
    (message("image", None, attachment={"title": "Cake"}, group_type="x"), "image", "[image] Cake"),
    (message("edit", {"original_message_id": "wamid.x"}), "unsupported", "[unsupported message: edit]"),
    (message("interactive", errors=[error(1, "Odd", "Really")]), "unsupported",
     "[unsupported message: interactive] Odd: Really"),
    (message("payment", {"amount": {"value": 500, "offset": 100}, "currency": "EUR", "reference_id": "A-7"}), "system",
     "[payment] 5 EUR, reference A-7"),
]  # fmt: skip


@pytest.mark.parametrize(("item", "kind", "text"), KINDS, ids=[text for _, _, text in KINDS])
def test_it_is_a_message_in_readable_words(item: dict[str, Any], kind: str, text: str) -> None:
    (found,) = parse(inbound(item)).messages
    assert (found.kind, found.text) == (kind, text)
    assert parse(as_body(found)).messages == (found,)


def test_all_of_them_are_stored(stage: Stage) -> None:
    stage.post(inbound(*(item for item, _, _ in KINDS)))
    stored = ConversationMessage.objects.order_by("id")
    assert [(row.kind, row.text) for row in stored] == [(kind, text) for _, kind, text in KINDS]
    assert not QuarantinedEvent.objects.exists()


PAYMENT = {
    "type": "payment",
    "payment": {
        "reference_id": "ORDER-1",
        "amount": {"value": 21050, "offset": 100},
        "currency": "INR",
        "transaction": {"id": "order_x", "type": "razorpay", "status": "success"},
    },
}


def test_a_payment_notice_is_a_message_and_no_status_of_the_request(stage: Stage) -> None:
    stage.converse(inbound(text_message("I want to pay")))
    request = ConversationMessage.objects.get(role="assistant")
    assert request.external_id is not None
    words = ("pending", "failed", "captured")
    notices = [status(word, wamid=request.external_id, **PAYMENT) for word in words]
    for _ in range(2):  # Meta repeats itself
        stage.converse(delivery(change(statuses=notices, contacts=[contact()])))
    request.refresh_from_db()
    assert request.status == "sent"
    texts = ConversationMessage.objects.filter(kind="system").order_by("id").values_list("text", flat=True)
    assert list(texts) == [
        f"[payment] {word}, 210.5 INR, reference ORDER-1" for word in ("pending", "failed", "captured")
    ]
    assert len(stage.wire.asked) == 1
    assert not QuarantinedEvent.objects.exists()


@pytest.mark.parametrize(
    ("payment", "text"),
    [
        ({}, "[payment] captured"),
        ({"amount": "5.00", "currency": "BRL"}, "[payment] captured, 5.00 BRL"),
        ({"amount": {"value": "many", "offset": 0}}, "[payment] captured"),
        ({"amount": {"value": 5, "offset": "1e9999"}, "currency": ["x"]}, "[payment] captured"),
        ({"reference_id": "x" * 5000}, "[payment] captured, reference xxx"),
    ],
)
def test_a_payment_of_another_shape_is_still_readable(payment: dict[str, Any], text: str) -> None:
    notice = status("captured", type="payment", payment=payment)
    (found,) = parse(delivery(change(statuses=[notice], contacts=[contact()]))).messages
    assert found.text.startswith(text)
    assert len(found.text) <= 1000
    assert parse(as_body(found)).messages == (found,)
