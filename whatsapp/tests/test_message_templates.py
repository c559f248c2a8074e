"""Templates as Meta lists them: their placeholders, and the request when they are filled in."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversations.outbox import contents
from conversations.outbox.contents import FileUpload
from whatsapp.graph.payloads import body
from whatsapp.message_templates import template as known_templates
from whatsapp.message_templates.template import MessageTemplate

HELLO = {"type": "BODY", "text": "Hello {{1}}, your order {{2}} is ready."}
NAMED = {"type": "BODY", "text": "Hello {{ customer }}, {{order}} is ready. Thank you, {{customer}}."}
TRACK = {"type": "URL", "text": "Track", "url": "https://shop.example/orders/{{1}}"}
SHOP = {"type": "URL", "text": "Shop", "url": "https://shop.example"}
CALL = {"type": "PHONE_NUMBER", "text": "Call us", "phone_number": "+15550001"}
CODE = {"type": "COPY_CODE", "text": "Copy code", "example": ["SUMMER"]}
FLOW = {"type": "FLOW", "text": "Book", "flow_id": 1, "flow_action": "NAVIGATE"}
YES = {"type": "QUICK_REPLY", "text": "Yes"}


def header(form: str, text: str = "") -> dict[str, Any]:
    return {"type": "HEADER", "format": form, **({"text": text} if text else {})}


def known(*components: dict[str, Any], buttons: tuple[dict[str, Any], ...] = ()) -> MessageTemplate:
    parts = [*components, *([{"type": "BUTTONS", "buttons": list(buttons)}] if buttons else [])]
    return known_templates.parse({"name": "one", "language": "en", "status": "APPROVED", "components": parts})


def texts(*values: str) -> list[dict[str, str]]:
    return [{"type": "text", "text": value} for value in values]


FILLED = [
    pytest.param(
        known(HELLO),
        ["1", "2"],
        ["Ann", "17"],
        [{"type": "body", "parameters": texts("Ann", "17")}],
        "Hello Ann, your order 17 is ready.",
        id="numbers",
    ),
    pytest.param(
        known({"type": "BODY", "text": "{{2}} is for {{1}}, only for {{1}}."}),
        ["1", "2"],
        ["Ann", "This"],
        [{"type": "body", "parameters": texts("Ann", "This")}],
        "This is for Ann, only for Ann.",
        id="numbers out of order",
    ),
    pytest.param(
        known(header("TEXT", "For {{customer}}"), NAMED),
        ["header customer", "customer", "order"],
        ["Ann", "Ann B.", "Order 17"],
        [
            {"type": "header", "parameters": [{"type": "text", "parameter_name": "customer", "text": "Ann"}]},
            {
                "type": "body",
                "parameters": [
                    {"type": "text", "parameter_name": "customer", "text": "Ann B."},
                    {"type": "text", "parameter_name": "order", "text": "Order 17"},
                ],
            },
        ],
        "For Ann\nHello Ann B., Order 17 is ready. Thank you, Ann B..",
        id="names",
    ),
    pytest.param(
        known(header("IMAGE"), HELLO),
        ["header image", "1", "2"],
        ["https://a.example/cake.png", "Ann", "17"],
        [
            {
                "type": "header",
                "parameters": [{"type": "image", "image": {"link": "https://a.example/cake.png"}}],
            },
            {"type": "body", "parameters": texts("Ann", "17")},
        ],
        "[image] https://a.example/cake.png\nHello Ann, your order 17 is ready.",
        id="image by URL",
    ),
    pytest.param(
        known(header("DOCUMENT"), {"type": "BODY", "text": "Your bill."}),
        ["header document"],
        ["https://a.example/b/bill%2017.pdf?x=1"],
        [
            {
                "type": "header",
                "parameters": [
                    {
                        "type": "document",
                        "document": {"link": "https://a.example/b/bill%2017.pdf?x=1", "filename": "bill 17.pdf"},
                    }
                ],
            },
        ],
        "[document] bill 17.pdf https://a.example/b/bill%2017.pdf?x=1\nYour bill.",
        id="document by URL",
    ),
    pytest.param(
        known(header("LOCATION"), {"type": "BODY", "text": "We are here."}),
        ["header latitude", "header longitude", "header name", "header address"],
        ["53.3", "-6.26", "The shop", "Main Street 1"],
        [
            {
                "type": "header",
                "parameters": [
                    {
                        "type": "location",
                        "location": {
                            "latitude": "53.3",
                            "longitude": "-6.26",
                            "name": "The shop",
                            "address": "Main Street 1",
                        },
                    }
                ],
            },
        ],
        "[location] The shop Main Street 1 53.3, -6.26\nWe are here.",
        id="location",
    ),
    pytest.param(
        known({"type": "BODY", "text": "On its way."}, buttons=(YES, TRACK, SHOP, CALL, CODE, FLOW)),
        ["button Track: https://shop.example/orders/{{1}}", "button Copy code: code"],
        ["17", "SUMMER"],
        [
            {"type": "button", "sub_type": "url", "index": "1", "parameters": texts("17")},
            {
                "type": "button",
                "sub_type": "copy_code",
                "index": "4",
                "parameters": [{"type": "coupon_code", "coupon_code": "SUMMER"}],
            },
            {
                "type": "button",
                "sub_type": "flow",
                "index": "5",
                "parameters": [{"type": "action", "action": {"flow_token": "unused"}}],
            },
        ],
        "On its way.\n[button] Yes\n[button] Track https://shop.example/orders/17\n[button] Shop https://shop.example\n"
        "[button] Call us\n[button] Copy code SUMMER\n[button] Book",
        id="buttons",
    ),
    pytest.param(known({"type": "BODY", "text": "Hello."}), [], [], None, "Hello.", id="nothing to fill"),
]


@pytest.mark.parametrize(("template", "labels", "values", "components", "text"), FILLED)
def test_a_filled_template_becomes_this_request(
    template: MessageTemplate, labels: list[str], values: list[str], components: list[dict[str, Any]] | None, text: str
) -> None:
    assert (template.unsupported_reason, template.labels) == ("", labels)
    filled = template.fill(values)
    assert filled.text == text
    sent = body(filled)["template"]
    assert sent == {
        "name": "one",
        "language": {"code": "en"},
        **({"components": components} if components is not None else {}),
    }
    assert contents.from_json(contents.to_json(filled)) == filled


def test_an_uploaded_file_can_be_the_header() -> None:
    upload = FileUpload("document", "attachments/a.pdf", "application/pdf", 9, "ab", filename="bill.pdf")
    filled = known(header("DOCUMENT"), HELLO).fill(["", "Ann", "17"], upload)
    assert contents.upload_in(filled) == upload
    assert filled.text == "[document] bill.pdf\nHello Ann, your order 17 is ready."
    assert contents.from_json(contents.to_json(filled)) == filled
    assert body(filled, "media-7")["template"]["components"][0] == {
        "type": "header",
        "parameters": [{"type": "document", "document": {"id": "media-7", "filename": "bill.pdf"}}],
    }


@pytest.mark.parametrize(
    ("template", "values", "reason"),
    [
        (known(HELLO), ["Ann"], "needs 2 values"),
        (known(HELLO), ["Ann", " "], "value for 2 is missing"),
        (known(HELLO), ["Ann", "7" * 1025], "allows 1024"),
        (known(header("IMAGE"), HELLO), ["http://a.example", "Ann", "7"], "must start with https://"),
        (known(header("IMAGE"), HELLO), ["", "Ann", "7"], "value for header image is missing"),
        (known(header("LOCATION"), HELLO), ["north", "1", "a", "b", "Ann", "7"], "must be a number, not 'north'"),
        (known(header("LOCATION"), HELLO), ["91", "1", "a", "b", "Ann", "7"], "between -90 and 90"),
        (known(header("LOCATION"), HELLO), ["1", "nan", "a", "b", "Ann", "7"], "between -180 and 180"),
        (known(HELLO, buttons=(CODE,)), ["Ann", "7", "S" * 16], "allows 15"),
        (known(HELLO), ["Ann\nand Bob", "7"], "line breaks"),
        (known(HELLO), ["Ann", "7     8"], "more than four spaces"),
        (known(header("TEXT", "For {{1}}"), HELLO), ["a\tb", "Ann", "7"], "tabs"),
        (known(HELLO, buttons=(TRACK,)), ["Ann", "7", "S" * 2001], "allows 2000"),
    ],
)
def test_invalid_values_are_refused_with_the_reason(template: MessageTemplate, values: list[str], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        template.fill(values)


@pytest.mark.parametrize(
    ("template", "problem"),
    [
        (known(HELLO, {"type": "CAROUSEL", "cards": []}), "unsupported component: carousel"),
        (known(HELLO, {"type": "LIMITED_TIME_OFFER"}), "unsupported component: limited time offer"),
        (known(header("PRODUCT"), HELLO), "unsupported header: product"),
        (known(HELLO, buttons=(YES, {"type": "MPM", "text": "See"})), "unsupported button: mpm"),
        (known(HELLO, buttons=({"text": "See"},)), "unsupported button: unnamed"),
        (known(header("IMAGE")), "it has no text"),
        (known_templates.parse({"name": "one", "components": "odd"}), "it has no text"),
    ],
)
def test_unsupported_templates_say_why(template: MessageTemplate, problem: str) -> None:
    assert template.unsupported_reason == problem
    with pytest.raises(ValueError, match=problem):
        template.fill(["a"] * len(template.placeholders))


@pytest.mark.parametrize("name", ["²", "9" * 5000, "٣", "x" * 5000, "_"])
def test_odd_placeholders_are_just_names(name: str) -> None:
    template = known_templates.parse({"name": "a", "components": [{"type": "BODY", "text": f"Hi {{{{{name}}}}}."}]})
    assert len(template.labels) == (len(name) < 4000)


keys = st.sampled_from(["name", "language", "components", "type", "text", "format", "buttons", "url"])
scalars = st.none() | st.booleans() | st.integers() | st.text(st.characters(), max_size=20)
values = st.recursive(
    scalars | st.sampled_from(["{{1}}", "URL"]),
    lambda parts: st.lists(parts, max_size=3) | st.dictionaries(keys, parts, max_size=5),
    max_leaves=20,
)
components = st.fixed_dictionaries(
    {"type": st.sampled_from(["HEADER", "BODY", "BUTTONS", "FOOTER"]) | values},
    optional={"text": values, "format": values, "buttons": values},
)
entries = st.fixed_dictionaries({"components": st.lists(components, max_size=4) | values}, optional={"name": values})


@given(entries)
def test_any_entry_of_metas_list_is_a_template_or_says_why_not(entry: Any) -> None:
    template = known_templates.parse(entry)
    assert template.unsupported_reason or template.body
    assert len(template.labels) == len(template.placeholders)
