"""Renders each kind of message as readable text for the chat history.

Source: Meta, "WhatsApp Cloud API > Webhooks > Reference > messages", one page per kind.
"""

from collections.abc import Callable, Iterable
from decimal import Decimal, InvalidOperation
from functools import partial

from conversations.history.details import form_answers
from runtime.untrusted_json import Json, as_dict, as_list, as_text, clean_text, one_line

from .unknown import MOST_WORDS, field_name, key_of_content, readable, readable_content, shown_name

MAX_LISTED = 1000  # contacts, products, …: more than WhatsApp allows; the raw message keeps all of them


def kind_of(item: Json) -> str | None:
    """The kind of a message, lower-case. A type not in our table is ``unsupported``.

    Without a type, the content decides: ``{"location": {…}}`` is a location. None if it has no content either.
    """
    given = as_text(item.get("type")).lower()
    if given:
        return given if given in KINDS else "unsupported"
    found = next((kind for kind in KINDS if item.get(kind)), None)
    return found or ("unsupported" if item.get("errors") or key_of_content(item) else None)


def render_text(kind: str, item: Json) -> str:
    """The text of a message of a known kind. '' only for an empty text or edit."""
    content = as_dict(item.get(kind))
    text = _MESSAGES[kind](item) if kind in _MESSAGES else _OBJECTS[kind](content) if content else ""
    if not text:
        words = readable_content(kind, item)
        text = words if kind == "text" else "" if kind == "edit" else _labelled(_LABELS.get(kind, kind), words)
    for caption in ("" if kind in _CAPTIONED else as_text(content.get("caption")), as_text(item.get("caption"))):
        text = text if text.endswith(caption) else f"{text} {caption}".lstrip()
    product = as_text(as_dict(as_dict(item.get("context")).get("referred_product")).get("product_retailer_id"))
    # Cleaned again, because a flow's answers are JSON within JSON and can contain a NUL.
    return clean_text(f"[about product {product}] {text}" if text and product else text)


def error_text(errors: object) -> str:
    """Meta's first error as a sentence: its title and, if they add something, its details."""
    error = next((error for error in as_list(errors) if isinstance(error, dict)), {})
    title = as_text(error.get("title")) or as_text(error.get("message"))
    details = as_text(as_dict(error.get("error_data")).get("details")) or as_text(error.get("details"))
    more = details or as_text(error.get("message"))
    return f"{title}: {more}" if title and more and more != title else title or more


def _text(text: Json) -> str:
    body = text.get("body")
    return body if isinstance(body, str) else as_text(body)


def _media(kind: str, media: Json) -> str:
    return _labelled(kind, as_text(media.get("caption")))


def _audio(audio: Json) -> str:
    return _labelled("voice note" if audio.get("voice") is True else "audio", as_text(audio.get("caption")))


def _document(document: Json) -> str:
    return _labelled("document", _joined(": ", [shown_name(document.get("filename")), document.get("caption")]))


def _location(location: Json) -> str:
    latitude, longitude = as_text(location.get("latitude")), as_text(location.get("longitude"))
    point = f"({latitude}, {longitude})" if latitude and longitude else ""
    return _labelled("location", _joined(" ", [_joined(", ", [location.get("name"), location.get("address")]), point]))


def _contacts(item: Json) -> str:
    return "\n".join(_labelled("contact", _card(card)) for card in _objects(item, "contacts"))


def _card(card: Json) -> str:
    names = as_dict(card.get("name"))
    phones = [as_text(phone.get("phone")) or as_text(phone.get("wa_id")) for phone in _objects(card, "phones")]
    emails = [email.get("email") for email in _objects(card, "emails")]
    urls = [url.get("url") for url in _objects(card, "urls")]
    addresses = [_address(address) for address in _objects(card, "addresses")]
    shown = names.get("formatted_name") or _joined(" ", [names.get("first_name"), names.get("last_name")])
    company = as_dict(card.get("org")).get("company")
    return _joined(", ", [shown_name(part) for part in (shown, company, *phones, *emails, *urls, *addresses)])


def _address(address: Json) -> str:
    return _joined(" ", [address.get(part) for part in ("street", "zip", "city", "state", "country")])


def _button(button: Json) -> str:
    return as_text(button.get("text")) or as_text(button.get("payload"))


def _interactive(content: Json) -> str:
    subtype = as_text(content.get("type")).lower()
    renderer = _INTERACTIVE.get(subtype)
    reply = as_dict(content.get(subtype))
    return renderer(reply) if renderer and reply else _other_interactive(content, reply)


def _choice(reply: Json) -> str:
    title = as_text(reply.get("title")) or as_text(reply.get("id"))
    description = as_text(reply.get("description"))
    return f"{title} ({description})" if description else title


def _form(reply: Json) -> str:
    """A flow's answers, or the postal address in an address message, which is one level deeper."""
    lines = [f"{field_name(key)}: {answer}" for key, answer in _answers(form_answers(reply)) if key != "flow_token"]
    return _labelled("form", ", ".join(lines) or as_text(reply.get("body")))


def _answers(answers: Json) -> Iterable[tuple[str, str]]:
    for key, value in answers.items():
        if isinstance(value, dict):
            yield from ((inner, _answer(answer)) for inner, answer in value.items())
        else:
            yield key, _answer(value)


def _answer(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return _joined(" + ", value)
    return as_text(value) or "-"


def _call_permission(reply: Json) -> str:
    response = as_text(reply.get("response")).lower()
    answer = {"accept": "accepted", "reject": "declined"}.get(response, response or "answered")
    return f"[call permission {answer}]"


def _other_interactive(content: Json, reply: Json) -> str:
    """A subtype we don't know, or one that a business sends: as much of it as can be read."""
    product = as_text(reply.get("product_retailer_id")) or as_text(
        as_dict(content.get("action")).get("product_retailer_id")
    )
    parts = [as_dict(content.get(part)).get("text") for part in ("header", "body", "footer")]
    text = _joined("\n", parts) or (_choice(reply) if reply.get("title") else as_text(reply.get("body")))
    if text or product:
        return _joined(" ", [f"[product] {product}" if product else "", text])
    subtype = as_text(content.get("type"))[:50].replace("_", " ")
    return _labelled(
        f"interactive: {subtype}" if subtype else "interactive", readable(content) or as_text(reply.get("id"))
    )


def _order(order: Json) -> str:
    products = _objects(order, "product_items")
    lines = [_labelled("order", as_text(order.get("text"))), *map(_order_line, products), _total(products)]
    return _joined("\n", lines)


def _order_line(item: Json) -> str:
    product = as_text(item.get("product_retailer_id")) or "unnamed product"
    line = f"{as_text(item.get('quantity')) or '?'} × {product}"
    price = _joined(" ", [item.get("item_price"), item.get("currency")])
    return f"{line} at {price}" if price else line


def _total(products: list[Json]) -> str:
    """'' if a number is missing or currencies are mixed: no sum is better than a wrong one."""
    currencies = {as_text(item.get("currency")) for item in products}
    amounts = [_number(item.get(part)) for item in products for part in ("quantity", "item_price")]
    numbers = [amount for amount in amounts if amount is not None]
    if len(currencies) != 1 or len(numbers) != len(amounts):
        return ""
    total = sum((numbers[at] * numbers[at + 1] for at in range(0, len(numbers), 2)), Decimal())
    return _joined(" ", ["total", f"{total.normalize():f}", *currencies])


def _number(value: object) -> Decimal | None:
    try:
        number = Decimal(as_text(value))
    except InvalidOperation:
        return None
    # 1e9999 is a valid number too, and would be written out with all its digits.
    return number if number.is_finite() and abs(number.adjusted()) < 20 else None


def payment_text(item: Json) -> str:
    """A notice about a payment, which comes as a status.

    https://developers.facebook.com/documentation/business-messaging/whatsapp/payments/payments-in/pg
    """
    payment = as_dict(item.get("payment"))
    amount = as_dict(payment.get("amount"))
    value, offset = _number(amount.get("value")), _number(amount.get("offset"))
    total = f"{(value / offset).normalize():f}" if value is not None and offset else as_text(payment.get("amount"))
    money = _joined(" ", [total, payment.get("currency")])
    reference = as_text(payment.get("reference_id"))
    parts = [item.get("status"), money, f"reference {reference}" if reference else "", error_text(item.get("errors"))]
    return one_line(_labelled("payment", _joined(", ", parts)), MOST_WORDS)


def _reaction(reaction: Json) -> str:
    emoji = as_text(reaction.get("emoji"))
    return _labelled("reaction", emoji) if emoji else "[reaction removed]"


def _system(system: Json) -> str:
    return as_text(system.get("body")) or as_text(system.get("type")).replace("_", " ")


def _edit(edit: Json) -> str:
    """The new text of the edited message, alone."""
    message = as_dict(edit.get("message"))
    kind = kind_of(message)
    return render_text(kind, message) if kind else ""


def _unsupported(item: Json) -> str:
    """Names the type, as far as Meta says, and repeats Meta's explanation and what can be read of the content."""
    kind = as_text(item.get("type")).lower() or key_of_content(item)
    named = as_text(as_dict(item.get(kind)).get("type")) if kind in ("", "unsupported") else kind
    known = named and named not in ("unsupported", "unknown")
    label = f"unsupported message: {one_line(named, 50)}" if known else "unsupported message"
    return _labelled(label, _joined(" ", [error_text(item.get("errors")), readable_content(kind, item)]))


def _labelled(label: str, text: str) -> str:
    return f"[{label}] {text}" if text else f"[{label}]"


def _joined(separator: str, parts: Iterable[object]) -> str:
    return separator.join(filter(None, map(as_text, parts)))


def _objects(parent: Json, key: str) -> list[Json]:
    return [item for item in as_list(parent.get(key))[:MAX_LISTED] if isinstance(item, dict)]


Renderer = Callable[[Json], str]

# Kinds whose content is the object with their name.
_OBJECTS: dict[str, Renderer] = {
    "text": _text,
    "image": partial(_media, "image"),
    "video": partial(_media, "video"),
    "sticker": partial(_media, "sticker"),
    "audio": _audio,
    "document": _document,
    "location": _location,
    "button": _button,
    "interactive": _interactive,
    "order": _order,
    "reaction": _reaction,
    "system": _system,
    "edit": _edit,
    "revoke": lambda _revoke: "[message deleted]",
}
# The others get the whole message.
_MESSAGES: dict[str, Renderer] = {
    "contacts": _contacts,
    "request_welcome": lambda _message: "[opened the chat]",
    "unsupported": _unsupported,
}
KINDS = (*_OBJECTS, *_MESSAGES)

# How a message is called if nothing in it can be read.
_LABELS = {"contacts": "contact", "interactive": "interactive message", "system": "system message"}
_CAPTIONED = {"image", "video", "sticker", "audio", "document", "unsupported"}  # these show their caption themselves

_INTERACTIVE: dict[str, Renderer] = {
    "button_reply": _choice,
    "list_reply": _choice,
    "nfm_reply": _form,
    "call_permission_reply": _call_permission,
}
