"""What a customer does on the phone reaches the bot as Meta would deliver it."""

from typing import Any

import pytest
from django.test import Client

from sandbox.models import Customer, Message
from sandbox.pool import pool
from sandbox.tests.conftest import Bot
from sandbox.tests.graph import BSUID, NUMBER, PERSON, send
from sandbox.tests.phone import chat, do, see, upload
from sandbox.tests.templates import (
    ANN,
    FIND_US,
    LINK,
    PLACE,
    RATE,
    SALE,
    SEE_YOU,
    SHIPPED,
    body,
    button,
    header,
    template,
)

pytestmark = pytest.mark.django_db(transaction=True)
ORDER = {
    "type": "button",
    "body": {"text": "Shall we bake it?"},
    "action": {"buttons": [{"type": "reply", "reply": {"id": "yes", "title": "Yes"}}]},
}
TIMES = {
    "type": "list",
    "body": {"text": "When?"},
    "action": {"button": "Choose", "sections": [{"rows": [{"id": "4", "title": "16:00", "description": "Tea"}]}]},
}


def posted(bot: Bot) -> dict[str, Any]:
    """The only message of the next webhook that has one."""
    while True:
        value = bot.next().value
        if "messages" in value:
            (message,) = value["messages"]
            return dict(message)


def test_it_posts_a_text_with_contact_and_ids(bot: Bot) -> None:
    wamid = do("text", text="Hello")
    delivery = bot.next()
    value = delivery.value
    message = value["messages"][0]
    customer = Customer.objects.get()
    assert value["metadata"]["phone_number_id"] == NUMBER
    assert value["contacts"][0] == {"profile": {"name": f"+{PERSON}"}, "wa_id": PERSON, "user_id": customer.user_id}
    assert message == {
        "from": PERSON,
        "from_user_id": customer.user_id,
        "id": wamid,
        "timestamp": message["timestamp"],
        "type": "text",
        "text": {"body": "Hello"},
    }
    assert message["timestamp"].isdigit()
    assert delivery.signature.startswith("sha256=")
    assert pool.wait_idle(10)
    assert chat()["messages"][0]["state"] == "delivered"


def test_it_leaves_out_a_hidden_number(bot: Bot) -> None:
    Customer.objects.create(name="Milo", username="milo", user_id=BSUID, phone="15550009999", hides_phone=True)
    do("text", text="Hello", person=BSUID)
    value = bot.next().value
    assert value["contacts"][0] == {"profile": {"name": "Milo", "username": "@milo"}, "user_id": BSUID}
    assert "from" not in value["messages"][0]
    assert value["messages"][0]["from_user_id"] == BSUID


def test_it_posts_files_locations_contacts_and_unsupported_messages(bot: Bot) -> None:
    photo = upload(b"pixels", "image/png")
    do("image", media_id=photo, caption="A cake")
    image = posted(bot)["image"]
    assert (image["id"], image["mime_type"], image["caption"]) == (photo, "image/png", "A cake")
    assert len(image["sha256"]) == 44
    do("audio", media_id=upload(b"sound", "audio/ogg; codecs=opus"), voice=True)
    assert posted(bot)["audio"]["voice"] is True
    do("location", latitude=53.3, longitude="-6.2", name="Market")
    assert posted(bot)["location"] == {"latitude": 53.3, "longitude": -6.2, "name": "Market"}
    do("contacts", name="Noor Haddad", phone="+1 555 765")
    assert posted(bot)["contacts"][0]["phones"][0]["wa_id"] == "1555765"
    do("unsupported")
    assert posted(bot)["errors"][0]["code"] == 131051


def test_it_quotes_reacts_edits_and_deletes(bot: Bot) -> None:
    theirs = send().json()["messages"][0]["id"]
    mine = do("text", text="Two rolls", quotes=theirs)
    assert posted(bot)["context"] == {"from": "15550000001", "id": theirs}
    do("reaction", wamid=theirs, emoji="👍")
    assert posted(bot)["reaction"] == {"message_id": theirs, "emoji": "👍"}
    do("edit", wamid=mine, text="Three rolls")
    assert posted(bot)["edit"] == {
        "original_message_id": mine,
        "message": {"type": "text", "text": {"body": "Three rolls"}},
    }
    do("revoke", wamid=mine)
    assert posted(bot)["revoke"] == {"original_message_id": mine}
    shown = {message["wamid"]: message for message in chat()["messages"]}
    assert shown[theirs]["customer_reaction"] == "👍"
    assert shown[mine]["deleted"]
    assert shown[mine]["text"] == ""


def test_it_taps_buttons_lists_and_templates(bot: Bot) -> None:
    asked = send(type="interactive", interactive=ORDER).json()["messages"][0]["id"]
    do("tap", wamid=asked, id="yes")
    message = posted(bot)
    assert message["interactive"] == {"type": "button_reply", "button_reply": {"id": "yes", "title": "Yes"}}
    assert message["context"]["id"] == asked
    asked = send(type="interactive", interactive=TIMES).json()["messages"][0]["id"]
    do("tap", wamid=asked, id="4")
    row = {"id": "4", "title": "16:00", "description": "Tea"}
    assert posted(bot)["interactive"] == {"type": "list_reply", "list_reply": row}
    parameters = [{"type": "text", "text": "Ada"}, {"type": "text", "text": "17"}]
    template = {
        "name": "order_update",
        "language": {"code": "en"},
        "components": [{"type": "body", "parameters": parameters}],
    }
    asked = send(type="template", template=template).json()["messages"][0]["id"]
    do("tap", wamid=asked, id="On my way")
    assert posted(bot)["button"] == {"payload": "On my way", "text": "On my way"}
    assert "your order 17" in next(m["text"] for m in chat()["messages"] if m["kind"] == "template")


def bubble(content: dict[str, Any]) -> Any:
    """How the phone shows a sent template."""
    wamid = send(type="template", template=content).json()["messages"][0]["id"]
    return next(message for message in chat()["messages"] if message["wamid"] == wamid)


def test_it_shows_templates_with_their_values(bot: Bot) -> None:
    shown = bubble(SALE)
    assert shown["header"] == {"kind": "text", "text": "20% off this week"}
    assert shown["text"] == "Hello Ann, show the code at the counter until Sunday and pay less."
    assert shown["footer"] == "While stocks last"
    assert shown["buttons"] == [
        {"title": "No more offers", "id": "No more offers"},
        {"title": "Copy offer code", "code": "SUMMER"},
    ]
    shown = bubble(SHIPPED)
    assert shown["header"] == {"kind": "image", "content": LINK}
    assert shown["text"] == "Order 17 is on its way, Ann! Have the number 17 at hand when it comes."
    assert shown["buttons"] == [
        {"title": "Follow it", "url": "https://bakery.example/track/17"},
        {"title": "Call us", "call": "+15550000001"},
    ]
    assert bubble(FIND_US)["header"] == {"kind": "location", "content": PLACE}
    assert bubble(SEE_YOU)["header"]["text"] == "See you on Friday"
    assert bubble(RATE)["buttons"] == [{"title": "Rate your visit", "flow": "2000000000000001"}]


def test_it_shows_the_file_in_a_templates_header(bot: Bot) -> None:
    media_id = upload(b"%PDF", "application/pdf", "invoice.pdf")
    invoice = template("invoice_ready", header("document", {"id": media_id}), body(**ANN))
    shown = bubble(invoice)
    assert shown["file"] == {
        "url": f"/sandbox/phone/files/{media_id}",
        "mime_type": "application/pdf",
        "filename": "invoice.pdf",
    }
    assert shown["text"] == "Hello Ann, here is the invoice for order 17. It is due on Friday."


def test_a_tap_on_a_template_sends_its_payload(bot: Bot) -> None:
    payload = button("quick_reply", 1, {"type": "payload", "payload": "another-day-17"})
    asked = bubble(SEE_YOU | {"components": [*SEE_YOU["components"], payload]})["wamid"]
    do("tap", wamid=asked, id="Another day")
    assert posted(bot)["button"] == {"payload": "another-day-17", "text": "Another day"}


def test_it_shows_a_template_that_would_be_refused_today(bot: Bot) -> None:
    wamid = send().json()["messages"][0]["id"]
    old = {"name": "order_update", "language": {"code": "en"}, "components": [{"type": "feet"}]}
    Message.objects.filter(wamid=wamid).update(kind="template", content=old)
    assert chat()["messages"][0]["text"] == "Hello {{1}}, your order {{2}} is ready to be picked up."


def test_it_can_backdate_a_message(bot: Bot) -> None:
    do("text", text="Hello", hours_ago=25)
    bot.next()
    assert pool.wait_idle(10)
    assert chat()["window_closed"]
    assert send().json()["error"]["code"] == 131047
    do("text", text="Hello again")
    assert send().status_code == 200


def test_it_posts_read_statuses(bot: Bot) -> None:
    send()
    bot.next_statuses(2)
    assert pool.wait_idle(10)
    assert see() == {"read": 1}
    assert bot.next().value["statuses"][0]["status"] == "read"
    assert see() == {"read": 0}


@pytest.mark.parametrize(
    ("status", "words"), [(403, "refused the signature"), (503, "can't store"), (302, "302"), (404, "no webhook")]
)
def test_it_explains_why_a_message_was_not_delivered(bot: Bot, status: int, words: str) -> None:
    bot.answers = [status] * 2
    wamid = do("text", text="Hello")
    bot.next()
    bot.next()
    message = Message.objects.get(wamid=wamid)
    assert message.state == "refused"
    assert words in message.problem


def test_it_explains_that_nothing_responds(bot: Bot, settings: Any) -> None:
    settings.SANDBOX_WEBHOOK_URL = "http://127.0.0.1:1/"
    do("text", text="Hello")
    assert pool.wait_idle(10)
    assert "Nothing responds" in chat()["messages"][0]["problem"]


def test_it_retries_automatically_and_on_request(bot: Bot) -> None:
    bot.answers = [503]
    wamid = do("text", text="Hello")
    bot.next()
    assert bot.next().value["messages"][0]["id"] == wamid
    do("again", wamid=wamid)
    assert bot.next().value["messages"][0]["id"] == wamid
    assert pool.wait_idle(10)
    assert chat()["messages"][0]["state"] == "delivered"


def test_it_posts_a_changed_number(bot: Bot) -> None:
    do("text", text="Hello")
    bot.next()
    customer = Customer.objects.get()
    Client().post(
        f"/sandbox/phone/customers/{customer.pk}/number", {"phone": "15559998888"}, content_type="application/json"
    )
    message = bot.next().value["messages"][0]
    assert (message["from"], message["type"]) == (PERSON, "system")
    assert message["system"]["type"] == "user_changed_number"
    assert message["system"]["wa_id"] == "15559998888"
    assert message["system"]["previous_user_id"] == customer.user_id


def test_it_refuses_invalid_gestures() -> None:
    for given in ({"kind": "dance"}, {"kind": "text", "text": " "}, {"kind": "edit", "wamid": "x", "text": "y"}):
        response = Client().post(f"/sandbox/phone/{NUMBER}/{PERSON}/messages", given, content_type="application/json")
        assert response.status_code == 400
        assert response.json()["error"]
    assert Client().get(f"/sandbox/phone/{NUMBER}/nobody").status_code == 404
    plain = Client().post(f"/sandbox/phone/{NUMBER}/{PERSON}/messages", "{}", content_type="text/plain")
    assert plain.status_code == 400


def test_it_starts_with_a_number_and_customers() -> None:
    page = Client().get("/sandbox/")
    assert page.status_code == 200
    people = Client().get("/sandbox/phone/people").json()
    assert people["numbers"][0]["id"] == NUMBER
    assert {customer["hides_phone"] for customer in people["customers"]} == {True, False}


def test_it_lists_chats_newest_first_with_unread_counts(django_assert_num_queries: Any) -> None:
    for person in ("15550000011", "15550000012", "15550000013"):
        send(to=person, text={"body": f"To {person}"})
    Message.objects.update(state="delivered")
    with django_assert_num_queries(5):
        chats = Client().get("/sandbox/phone/people").json()["chats"]
    assert [(row["last"], row["unread"]) for row in chats][:2] == [("To 15550000013", 1), ("To 15550000012", 1)]


def test_it_never_serves_a_customers_file_as_a_page() -> None:
    page = Client().get(f"/sandbox/phone/files/{upload(b'<script>', 'text/html')}")
    assert page["Content-Type"] == "application/octet-stream"
    assert page["Content-Disposition"] == "attachment"
    photo = Client().get(f"/sandbox/phone/files/{upload(b'pixels', 'image/png')}")
    assert photo["Content-Type"] == "image/png"
