"""The model gets a useful description of what a customer sends besides text and files."""

import json
from typing import Any

import pytest

from tests.stage import Stage
from whatsapp.tests.factories import inbound, message

PLACE = {"latitude": 41.38, "longitude": 2.17, "name": "Harbour Bakery", "address": "Moll 1, Barcelona"}
CARD = {"name": {"formatted_name": "Leo Okafor"}, "phones": [{"phone": "+34 600 111 222", "wa_id": "34600111222"}]}
ORDER = {
    "catalog_id": "7",
    "text": "For Sunday",
    "product_items": [
        {"product_retailer_id": "apple-cake", "quantity": 2, "item_price": 18.5, "currency": "EUR"},
        {"product_retailer_id": "rolls", "quantity": 12, "item_price": 0.5, "currency": "EUR"},
    ],
}
FLOW = {
    "type": "nfm_reply",
    "nfm_reply": {
        "name": "flow",
        "body": "Sent",
        "response_json": json.dumps({"flow_token": "t", "date": "2026-12-24", "guests": 4, "vegan": True}),
    },
}
TAP = {"type": "button_reply", "button_reply": {"id": "yes", "title": "Yes, please"}}
CHOICE = {"type": "list_reply", "list_reply": {"id": "a", "title": "Apple cake", "description": "with cinnamon"}}


@pytest.mark.parametrize(
    ("kind", "content", "words"),
    [
        ("location", PLACE, ["Harbour Bakery", "Moll 1, Barcelona", "41.38", "2.17"]),
        ("contacts", [CARD], ["Leo Okafor", "+34 600 111 222"]),
        ("order", ORDER, ["For Sunday", "2 × apple-cake at 18.5 EUR", "12 × rolls", "total 43 EUR"]),
        ("interactive", FLOW, ["date: 2026-12-24", "guests: 4", "vegan: yes"]),
        ("interactive", TAP, ["Yes, please"]),
        ("interactive", CHOICE, ["Apple cake", "with cinnamon"]),
        ("sticker", {"id": "1", "mime_type": "image/webp"}, ["[sticker]"]),
    ],
)
def test_the_model_gets_a_description(stage: Stage, kind: str, content: Any, words: list[str]) -> None:
    stage.converse(inbound(message(kind, content)))
    question = stage.wire.asked[-1]["messages"][-1]
    assert question["role"] == "user"
    missing = [each for each in words if each not in question["content"]]
    assert not missing, question["content"]
    assert "flow_token" not in question["content"]
    assert len(stage.wire.sent) == 1
