"""The Graph API stand-in lists, accepts and refuses templates as Meta does."""

from typing import Any

import pytest

from sandbox.tests.graph import read, send
from sandbox.tests.phone import upload
from sandbox.tests.templates import (
    ANN,
    FIND_US,
    INVOICE,
    LINK,
    RATE,
    SALE,
    SEE_YOU,
    SHIPPED,
    Part,
    body,
    button,
    code,
    header,
    link_end,
    template,
    texts_of,
    title,
)

pytestmark = pytest.mark.django_db
FLOW = button("flow", "0", {"type": "action", "action": {"flow_token": "unused"}})
REPLY = button("quick_reply", 0, {"type": "payload", "payload": "later"})
MONEY = {"type": "currency", "currency": {"fallback_value": "$5", "code": "USD", "amount_1000": 5000}}

TAKEN = [
    template("hello_world", code="en_US"),
    INVOICE,
    template("invoice_ready", header("document", LINK), body(**dict(reversed(ANN.items())))),
    SHIPPED,
    template("order_shipped", header("image", LINK), body("Ann", "17"), link_end("17", 0)),
    SALE,
    template("summer_sale", title("20%"), {"type": "body", "parameters": [*texts_of("Ann"), MONEY]}, code("X", 1)),
    template("summer_sale", title("20%"), body("Ann", "Sunday"), REPLY, code("SUMMER")),
    FIND_US,
    SEE_YOU,
    RATE,
    template("rate_visit", header("video", LINK), FLOW),
]
PARAMS = "number of localizable_params ({}) does not match the expected number of params ({})"
WIDE = "Param text cannot have new-line/tab characters or more than 4 consecutive spaces"
PICTURE = header("image", LINK)
ANN_17 = body("Ann", "17")
REFUSED: list[tuple[Part, int, str]] = [
    # numbered placeholders
    (template("order_shipped", PICTURE, body("Ann"), link_end("17")), 132000, f"body: {PARAMS.format(1, 2)}"),
    (template("order_shipped", PICTURE, body("1", "2", "2"), link_end("17")), 132000, f"body: {PARAMS.format(3, 2)}"),
    (template("summer_sale", body("Ann", "Sunday"), code("X")), 132000, f"header: {PARAMS.format(0, 1)}"),
    (template("talk_again", body(" ")), 131008, "Parameter of type text is missing text value"),
    (template("talk_again", body("Ann\nLee")), 132018, WIDE),
    (template("talk_again", body("Ann     Lee")), 132018, WIDE),
    (
        template("talk_again", {"type": "body", "parameters": [MONEY | {"currency": {"code": "USD"}}]}),
        131008,
        "Parameter of type currency is missing currency value",
    ),
    (template("talk_again", {"type": "body", "parameters": [{"type": "image", "image": LINK}]}), 132012, "TEXT"),
    (template("talk_again", PICTURE, body("Ann")), 132012, "header: Format mismatch, expected TEXT, received IMAGE"),
    # named placeholders
    (template("see_you", title(day="Friday"), body("Ann", "10:30")), 100, "Parameter name is missing or empty"),
    (
        template("see_you", title("Friday"), body(customer_name="A", time="1")),
        100,
        "Parameter name is missing or empty",
    ),
    (template("see_you", title(day="Friday"), body(customer_name="Ann")), 132000, f"body: {PARAMS.format(1, 2)}"),
    (template("see_you", title(day="Friday"), body(customer_name="A", hour="1")), 100, "Parameter name time"),
    # the file or location in the header
    (
        template("order_shipped", ANN_17, link_end("17")),
        132012,
        "header: Format mismatch, expected IMAGE, received UNK",
    ),
    (template("order_shipped", header("video", LINK), ANN_17, link_end("1")), 132012, "IMAGE, received VIDEO"),
    (template("order_shipped", title("Box"), ANN_17, link_end("1")), 132012, "IMAGE, received TEXT"),
    (template("order_shipped", PICTURE, PICTURE, ANN_17, link_end("1")), 132000, f"header: {PARAMS.format(2, 1)}"),
    (template("find_us", header("location", {"latitude": 1}), body("Ann")), 100, ""),
    (template("rate_visit", header("video", {})), 100, ""),
    (template("rate_visit", header("video", {"id": "404"})), 100, ""),
    # buttons
    (template("order_shipped", PICTURE, ANN_17), 131008, "buttons: Button at index 0 of type Url requires a parameter"),
    (template("order_shipped", PICTURE, ANN_17, link_end("")), 131008, "index 0 of type Url requires a parameter"),
    (template("order_shipped", PICTURE, ANN_17, link_end("17", 1)), 100, "index 1 is of type Call"),
    (template("order_shipped", PICTURE, ANN_17, link_end("17"), link_end("18", 2)), 132018, "index 2 does not exist"),
    (
        template("order_shipped", PICTURE, ANN_17, code("X", 0)),
        132018,
        "buttons: Button at index 0 must be of type Url",
    ),
    (template("order_shipped", PICTURE, ANN_17, button("phone_number", 1)), 100, ""),
    (
        template("order_shipped", PICTURE, ANN_17, button("url", "0", *texts_of("17", "18"))),
        132018,
        "buttons: Button at index 0 takes one parameter, received 2",
    ),
    (template("order_shipped", PICTURE, ANN_17, button("url", "first")), 100, ""),
    (template("order_shipped", PICTURE, ANN_17, button("url", None)), 100, ""),
    (template("find_us", *FIND_US["components"], link_end("17")), 132018, "of type Url does not require parameters"),
    (template("summer_sale", title("20%"), ANN_17), 131008, "copy_code requires a non-empty parameter coupon_code"),
    (template("summer_sale", title("20%"), ANN_17, code("")), 131008, "requires a non-empty parameter coupon_code"),
    (template("summer_sale", title("20%"), ANN_17, code("X" * 16)), 132018, "length limit 15"),
    (template("summer_sale", title("20%"), ANN_17, code("X", 0)), 132018, "index 0 must be of type QuickReply"),
    # what no template accepts
    (template("new_in_the_shop", body("Ann")), 132018, "CAROUSEL"),
    (template("talk_again", {"type": "feet"}), 100, ""),
    (template("talk_again", {"type": "body", "parameters": "Ann"}), 100, ""),
    (template("talk_again", {"type": "body", "parameters": [{"text": "Ann"}]}), 100, ""),
    (template("talk_again") | {"components": "body"}, 100, ""),
]


def post(content: Part) -> Any:
    changes: Part = {"type": "template", "template": content}
    return send(**changes)


@pytest.mark.parametrize("content", TAKEN)
def test_it_accepts(content: Part) -> None:
    response = post(content)
    assert response.status_code == 200, response.content


@pytest.mark.parametrize(("content", "error", "details"), REFUSED)
def test_it_refuses(content: Part, error: int, details: str) -> None:
    response = post(content)
    said = response.json()["error"]
    assert (response.status_code, said["code"]) == (400, error)
    assert details in said.get("error_data", {}).get("details", "")


def test_it_answers_with_metas_texts() -> None:
    said = post(template("order_shipped", ANN_17, link_end("17"))).json()["error"]
    assert said["message"] == "(#132012) Parameter format does not match format in the created template"
    said = post(template("see_you", title(day="Friday"), body("Ann", "10:30"))).json()["error"]
    assert said["message"] == "(#100) Invalid parameter"


def test_it_accepts_an_uploaded_file() -> None:
    media_id = upload(b"%PDF", "application/pdf", "invoice.pdf")
    assert post(template("invoice_ready", header("document", {"id": media_id}), body(**ANN))).status_code == 200


def test_it_lists_them_in_metas_format() -> None:
    found = {listed["name"]: listed for listed in read("102290129340398/message_templates").json()["data"]}
    parts = {name: {part["type"]: part for part in listed["components"]} for name, listed in found.items()}
    assert {listed["parameter_format"] for listed in found.values()} == {"NAMED", "POSITIONAL"}
    assert [name for name, listed in found.items() if listed["parameter_format"] == "NAMED"] == [
        "invoice_ready",
        "see_you",
    ]
    assert parts["see_you"]["HEADER"]["example"] == {
        "header_text_named_params": [{"param_name": "day", "example": "Friday"}]
    }
    assert parts["see_you"]["BODY"]["example"]["body_text_named_params"][1] == {
        "param_name": "time",
        "example": "10:30",
    }
    assert parts["order_shipped"]["HEADER"] == {
        "type": "HEADER",
        "format": "IMAGE",
        "example": {"header_handle": ["https://bakery.example/files/parcel.jpg"]},
    }
    assert parts["order_shipped"]["BODY"]["example"] == {"body_text": [["Ann", "17"]]}
    assert parts["find_us"]["HEADER"] == {"type": "HEADER", "format": "LOCATION"}
    kinds = {button["type"] for of in parts.values() for button in of.get("BUTTONS", {}).get("buttons", [])}
    assert kinds == {"QUICK_REPLY", "URL", "PHONE_NUMBER", "COPY_CODE", "FLOW"}
    assert len(parts["new_in_the_shop"]["CAROUSEL"]["cards"]) == 2
