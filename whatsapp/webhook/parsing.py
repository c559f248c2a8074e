"""Meta's webhook bodies taken apart: the way in to all that knows their shape.

Source: Meta, "WhatsApp Cloud API > Webhooks > Reference" (messages, statuses, smb_message_echoes).
`loads` reads the raw body, `parse` takes it apart, and nothing that a delivery holds makes `parse` raise.
"""

from collections.abc import Callable, Iterator
from typing import Any

from runtime.untrusted_json import Json, UnreadableJson, as_dict, as_list, as_text, clean, loads
from whatsapp.webhook.items import CUSTOMER, MAX_ID, MAX_LABEL, Change, ItemRejected, echo, inbound, status
from whatsapp.webhook.rendering import error_text
from whatsapp.webhook.types import ChatMessage, Echo, InboundMessage, Media, Rejected, StatusUpdate, WebhookBody

__all__ = [
    "ChatMessage",
    "Echo",
    "InboundMessage",
    "Media",
    "Rejected",
    "StatusUpdate",
    "UnreadableJson",
    "WebhookBody",
    "as_body",
    "clean",
    "loads",
    "parse",
]

OBJECT = "whatsapp_business_account"
Item = InboundMessage | Echo | StatusUpdate | Rejected


def parse(data: object) -> WebhookBody:
    """Everything in a webhook body. Never raises, whatever JSON value it is given."""
    found = list(_body(data))
    return WebhookBody(
        messages=tuple(item for item in found if isinstance(item, InboundMessage)),
        echoes=tuple(item for item in found if isinstance(item, Echo)),
        statuses=tuple(item for item in found if isinstance(item, StatusUpdate)),
        rejected=tuple(item for item in found if isinstance(item, Rejected)),
    )


def as_body(item: ChatMessage | StatusUpdate) -> Json:
    """A whole webhook body that parses to this item again, for putting it aside and trying later."""
    metadata = {"phone_number_id": item.phone_number_id}
    if isinstance(item, StatusUpdate):
        return _one_change("", {"field": "messages", "value": {"metadata": metadata, "statuses": [item.raw]}})
    metadata["display_phone_number"] = item.display_phone_number
    profile = {"name": item.name, "username": item.username if isinstance(item, InboundMessage) else ""}
    contact = {"profile": profile, "wa_id": item.phone, "user_id": item.user_id}
    field, key = ("smb_message_echoes", "message_echoes") if isinstance(item, Echo) else ("messages", "messages")
    value = {"metadata": metadata, "contacts": [contact], key: [item.raw]}
    return _one_change("", {"field": field, "value": value})


def _body(data: Any) -> Iterator[Item]:
    if isinstance(data, dict) and data.keys() == {"body"}:
        data = data["body"]  # one we put aside before
    data = clean(data)
    if not isinstance(data, dict):
        yield Rejected(reason="not an object", field="", phone_number_id="", raw={"body": data})
    elif as_text(data.get("object")) not in ("", OBJECT):
        yield Rejected(reason="wrong object", field="", phone_number_id="", raw={"body": data})
    elif not as_list(data.get("entry")):
        yield Rejected(reason="no content", field="", phone_number_id="", raw={"body": data})
    else:
        for entry in as_list(data.get("entry")):
            yield from _entry(entry)


def _entry(entry: Any) -> Iterator[Item]:
    changes = as_list(as_dict(entry).get("changes"))
    if not changes:
        reason = "no content" if isinstance(entry, dict) else "not an object"
        yield Rejected(reason=reason, field="", phone_number_id="", raw={"object": OBJECT, "entry": [entry]})
    for change in changes:
        yield from _change(entry.get("id"), change)


def _change(entry_id: Any, change: Any) -> Iterator[Item]:
    value = as_dict(as_dict(change).get("value"))
    here = _surroundings(entry_id, _field(change, value), value)
    pieces = [(key, piece) for key in _MAKERS.get(here.field, ()) for piece in as_list(value.get(key))]
    reason = _why_not(here, as_dict(change).get("value"), pieces)
    if reason:
        leftover = _without_pieces(change) if pieces else change
        yield _rejected(reason, here, _one_change(entry_id, leftover))
    for key, piece in pieces:
        yield _piece(here, key, piece)


def _why_not(here: Change, value: Any, pieces: list[tuple[str, Any]]) -> str:
    """Why the change itself is to be put aside, '' when all of it is in its pieces."""
    if here.field not in _MAKERS:
        return f"unknown field: {here.field[:MAX_LABEL]}"
    if not isinstance(value, dict):
        return "not an object"
    errors = value.get("errors")
    if errors and not as_list(value.get("messages")):
        code = as_text(as_dict(as_list(errors)[0]).get("code"))
        return " ".join(filter(None, ("errors:", code, error_text(errors))))[:MAX_ID]
    return "" if pieces else "no content"


def _without_pieces(change: Json) -> Json:
    value = {key: part for key, part in change["value"].items() if key not in CUSTOMER}
    return {**change, "value": value}


def _field(change: Any, value: Json) -> str:
    """The webhook field. Where it is missing, as in the report's curl, the content says it."""
    given = as_text(as_dict(change).get("field"))
    guess = next((name for name, makers in _MAKERS.items() if any(value.get(key) for key in makers)), "messages")
    return given or guess


def _surroundings(entry_id: Any, field: str, value: Json) -> Change:
    contacts = [contact for contact in as_list(value.get("contacts")) if isinstance(contact, dict)]
    by_id = {as_text(contact.get(key)): contact for key in ("user_id", "wa_id") for contact in contacts}
    customers = {_customer(key, piece) for key in _MAKERS.get(field, ()) for piece in as_list(value.get(key))}
    # With two customers in one change, an unmatched contact could be either: then it is nobody's, since
    # giving one person's user id to another would merge their conversations.
    lone = contacts[0] if len(contacts) == 1 and len(customers - {""}) <= 1 else {}
    return Change(entry_id, field, value, by_id, lone)


def _customer(key: str, piece: Any) -> str:
    return next(filter(None, (as_text(as_dict(piece).get(name)) for name in CUSTOMER[key])), "")


def _piece(here: Change, key: str, piece: Any) -> Item:
    if isinstance(piece, dict) and key == "messages" and here.value.get("errors"):
        piece = {"errors": here.value["errors"], **piece}  # Meta says beside a message what is wrong with it
    try:
        if not isinstance(piece, dict):
            raise ItemRejected("not an object")
        return _MAKERS[here.field][key](here, piece)
    except ItemRejected as refused:
        return _rejected(str(refused), here, _one_piece(here, key, piece))
    except Exception as error:  # noqa: BLE001
        # A mistake of ours in one piece must not cost its neighbours; it shows in the quarantine.
        return _rejected(f"error: {type(error).__name__}", here, _one_piece(here, key, piece))


def _rejected(reason: str, here: Change, raw: Json) -> Rejected:
    number = here.metadata("phone_number_id")
    return Rejected(reason=reason, field=here.field[:MAX_LABEL], phone_number_id=number, raw=raw)


def _one_piece(here: Change, key: str, piece: Any) -> Json:
    """A whole webhook body with nothing but this piece."""
    contact = here.contact(key, piece) if isinstance(piece, dict) else {}
    value = {name: here.value[name] for name in ("messaging_product", "metadata") if name in here.value}
    contacts = {"contacts": [contact]} if contact else {}
    return _one_change(here.entry_id, {"field": here.field, "value": {**value, **contacts, key: [piece]}})


def _one_change(entry_id: Any, change: Any) -> Json:
    return {"object": OBJECT, "entry": [{"id": entry_id, "changes": [change]}]}


_MAKERS: dict[str, dict[str, Callable[[Change, Json], Item]]] = {
    "messages": {"messages": inbound, "statuses": status},
    "smb_message_echoes": {"message_echoes": echo},
}
