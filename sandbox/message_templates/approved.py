"""The approved templates of every business in the sandbox, as GET /<waba_id>/message_templates lists them.

Source: https://developers.facebook.com/documentation/business-messaging/whatsapp/templates/components
"""

from typing import Any

Listed = dict[str, Any]


def _template(number: int, name: str, category: str, *components: Listed, language: str = "en") -> Listed:
    named = any("named_params" in key for component in components for key in component.get("example", {}))
    return {
        "id": str(1_000_000_000_000_000 + number),
        "name": name,
        "language": language,
        "status": "APPROVED",
        "category": category,
        "parameter_format": "NAMED" if named else "POSITIONAL",
        "components": list(components),
    }


def _named(examples: dict[str, str]) -> list[Listed]:
    return [{"param_name": name, "example": example} for name, example in examples.items()]


def _body(text: str, *examples: str, **named: str) -> Listed:
    body: Listed = {"type": "BODY", "text": text}
    if named:
        return body | {"example": {"body_text_named_params": _named(named)}}
    return body | ({"example": {"body_text": [list(examples)]}} if examples else {})


def _title(text: str, *examples: str, **named: str) -> Listed:
    title: Listed = {"type": "HEADER", "format": "TEXT", "text": text}
    if named:
        return title | {"example": {"header_text_named_params": _named(named)}}
    return title | ({"example": {"header_text": list(examples)}} if examples else {})


def _file(kind: str, name: str) -> Listed:
    return {"type": "HEADER", "format": kind, "example": {"header_handle": [f"https://bakery.example/files/{name}"]}}


def _footer(text: str) -> Listed:
    return {"type": "FOOTER", "text": text}


def _buttons(*buttons: Listed) -> Listed:
    return {"type": "BUTTONS", "buttons": list(buttons)}


def _reply(text: str) -> Listed:
    return {"type": "QUICK_REPLY", "text": text}


def _link(text: str, url: str, *examples: str) -> Listed:
    return {"type": "URL", "text": text, "url": url} | ({"example": list(examples)} if examples else {})


def _card(picture: str, text: str, path: str) -> Listed:
    order = _link("Order it", "https://bakery.example/{{1}}", f"https://bakery.example/{path}")
    return {"components": [_file("IMAGE", picture), _body(text), _buttons(order)]}


CALL = {"type": "PHONE_NUMBER", "text": "Call us", "phone_number": "+15550000001"}
# The button's text comes from Meta.
CODE = {"type": "COPY_CODE", "text": "Copy offer code", "example": ["SUMMER"]}
FLOW = {
    "type": "FLOW",
    "text": "Rate your visit",
    "flow_id": "2000000000000001",
    "flow_action": "NAVIGATE",
    "navigate_screen": "RATING",
}
CAROUSEL = {
    "type": "CAROUSEL",
    "cards": [_card("rye.jpg", "Rye bread", "rye"), _card("plum-cake.jpg", "Plum cake", "plum-cake")],
}

TEMPLATES = (
    _template(
        1,
        "hello_world",
        "UTILITY",
        _title("Hello World"),
        _body("Welcome and congratulations!! This message demonstrates your ability to send a message notification."),
        _footer("WhatsApp Business Platform sample message"),
        language="en_US",
    ),
    _template(
        2,
        "order_update",
        "UTILITY",
        _body("Hello {{1}}, your order {{2}} is ready to be picked up.", "Ann", "17"),
        _buttons(_reply("On my way"), _reply("Keep it for me")),
    ),
    _template(
        3,
        "talk_again",
        "UTILITY",
        _body("Hello {{1}}, we have an answer to your question. Would you like to continue?", "Ann"),
        _buttons(_reply("Yes, please")),
    ),
    _template(
        4,
        "invoice_ready",
        "UTILITY",
        _file("DOCUMENT", "invoice-17.pdf"),
        _body(
            "Hello {{customer_name}}, here is the invoice for order {{order_number}}. It is due on {{due_date}}.",
            customer_name="Ann",
            order_number="17",
            due_date="30 November",
        ),
        _footer("Thank you for your order"),
        _buttons(CALL),
    ),
    # `{{2}}` comes before `{{1}}`, and one of them twice.
    _template(
        5,
        "order_shipped",
        "UTILITY",
        _file("IMAGE", "parcel.jpg"),
        _body("Order {{2}} is on its way, {{1}}! Have the number {{2}} at hand when it comes.", "Ann", "17"),
        _buttons(_link("Follow it", "https://bakery.example/track/{{1}}", "https://bakery.example/track/17"), CALL),
    ),
    _template(
        6,
        "summer_sale",
        "MARKETING",
        _title("{{1}} off this week", "20%"),
        _body("Hello {{1}}, show the code at the counter until {{2}} and pay less.", "Ann", "Sunday"),
        _footer("While stocks last"),
        _buttons(_reply("No more offers"), CODE),
    ),
    _template(
        7,
        "find_us",
        "UTILITY",
        {"type": "HEADER", "format": "LOCATION"},
        _body("Hello {{1}}, this is where we are. See you soon!", "Ann"),
        _buttons(_link("Opening hours", "https://bakery.example/hours")),
    ),
    _template(
        8,
        "see_you",
        "UTILITY",
        _title("See you on {{day}}", day="Friday"),
        _body("Hello {{customer_name}}, we expect you at {{time}}.", customer_name="Ann", time="10:30"),
        _buttons(_reply("I will be there"), _reply("Another day")),
    ),
    _template(
        9,
        "rate_visit",
        "UTILITY",
        _file("VIDEO", "thanks.mp4"),
        _body("Thank you for your visit. How was it?"),
        _buttons(FLOW),
    ),
    # Can be listed but not sent, to test clients with a template they don't support.
    _template(10, "new_in_the_shop", "MARKETING", _body("Hello {{1}}, this is new in our shop:", "Ann"), CAROUSEL),
)
