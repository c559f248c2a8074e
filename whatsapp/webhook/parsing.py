"""Parses Meta's webhook bodies.

Source: Meta, "WhatsApp Cloud API > Webhooks > Reference" (messages, statuses, smb_message_echoes).
`read` starts from the raw bytes, `parse` from a JSON value. Neither raises, whatever a delivery contains.
"""

import json
from collections.abc import Callable, Iterator
from itertools import islice

from runtime.untrusted_json import Json, UnreadableJson, as_dict, as_list, as_text, clean, clean_text, loads

from .items import CUSTOMER, MAX_ID, MAX_LABEL, MAX_NAME, Change, ItemRejected, echo, inbound, status
from .rendering import error_text
from .types import ChatMessage, Echo, InboundMessage, Item, Rejected, StatusUpdate, WebhookBody

OBJECT = "whatsapp_business_account"
MAX_ITEMS = 1000  # per delivery; what comes after them is quarantined as one
MAX_AROUND = 4000  # characters of JSON beside the items of a change: each rejected item is kept with a copy


def read(body: bytes) -> WebhookBody:
    """Everything in a raw webhook body."""
    try:
        return _parsed(loads(body))
    except UnreadableJson as error:
        raw: Json = {"body": clean_text(body.decode("utf-8", "replace"))}
        return WebhookBody(rejected=(Rejected(reason=error.reason, field="", phone_number_id="", raw=raw),))


def parse(data: object) -> WebhookBody:
    """Everything in a webhook body that is a JSON value already, for example a quarantined one."""
    return _parsed(clean(data))


def as_body(item: ChatMessage | StatusUpdate) -> Json:
    """A whole webhook body that parses to this item again, to be quarantined."""
    metadata: Json = {"phone_number_id": item.phone_number_id}
    if isinstance(item, StatusUpdate):
        return _body_of("", {"field": "messages", "value": {"metadata": metadata, "statuses": [item.raw]}})
    metadata["display_phone_number"] = item.display_phone_number
    profile = {"name": item.name, "username": item.username if isinstance(item, InboundMessage) else ""}
    contact = {"profile": profile, "wa_id": item.phone, "user_id": item.user_id}
    field, key = ("smb_message_echoes", "message_echoes") if isinstance(item, Echo) else ("messages", "messages")
    value = {"metadata": metadata, "contacts": [contact], key: [item.raw]}
    return _body_of("", {"field": field, "value": value})


def _parsed(data: object) -> WebhookBody:
    start = 0
    if isinstance(data, dict) and "body" in data and data.keys() <= {"body", "start"}:  # quarantined earlier
        start = data["start"] if isinstance(data.get("start"), int) else 0
        data = data["body"]
    end = max(start, 0) + MAX_ITEMS
    found = list(islice(_items(data), max(start, 0), end + 1))
    if len(found) > MAX_ITEMS:
        # The rest contains the whole body: it belongs to a number only if that's the only one in it.
        first = found.pop()
        number = first.phone_number_id if _has_one_change(data) else ""
        rest: Json = {"body": data, "start": end}
        found.append(Rejected(reason="more than 1,000 items", field="", phone_number_id=number, raw=rest))
    return WebhookBody(
        messages=tuple(item for item in found if isinstance(item, InboundMessage)),
        echoes=tuple(item for item in found if isinstance(item, Echo)),
        statuses=tuple(item for item in found if isinstance(item, StatusUpdate)),
        rejected=tuple(item for item in found if isinstance(item, Rejected)),
    )


def _has_one_change(data: object) -> bool:
    entries = as_list(as_dict(data).get("entry"))
    return len(entries) == 1 and len(as_list(as_dict(entries[0]).get("changes"))) == 1


def _items(data: object) -> Iterator[Item]:
    """Lazily, so that a body with a million items costs no more than one with a thousand."""
    entries = as_list(as_dict(data).get("entry"))
    reason = ""
    if not isinstance(data, dict):
        reason = "not an object"
    elif as_text(data.get("object")) not in ("", OBJECT):
        reason = "wrong object"
    elif not entries:
        reason = "no content"
    if reason:
        yield Rejected(reason=reason, field="", phone_number_id="", raw={"body": data})
        return
    for entry in entries:
        yield from _entry(entry)


def _entry(entry: object) -> Iterator[Item]:
    changes = as_list(as_dict(entry).get("changes"))
    if not changes:
        reason = "no content" if isinstance(entry, dict) else "not an object"
        yield Rejected(reason=reason, field="", phone_number_id="", raw={"object": OBJECT, "entry": [entry]})
    given = as_dict(entry).get("id")
    entry_id = given if _size(given) <= MAX_AROUND else None
    for change in changes:
        yield from _change(entry_id, change)


def _change(entry_id: object, change: object) -> Iterator[Item]:
    value = as_dict(as_dict(change).get("value"))
    here = _context(entry_id, _field(change, value), value)
    lists = {key: as_list(value.get(key)) for key in _MAKERS.get(here.field, ())}
    has_items = any(lists.values())
    if has_items and _is_heavy(here, value):  # kept whole, once
        yield _rejected("too much beside the items", here, _body_of(entry_id, change))
        return
    if reason := _change_error(here, as_dict(change).get("value"), has_items):
        rest = {**as_dict(change), "value": _without_items(value)} if has_items else change
        yield _rejected(reason, here, _body_of(entry_id, rest))
    for key, items in lists.items():
        for item in items:
            yield _item(here, key, item)


def _change_error(here: Change, value: object, has_items: bool) -> str:
    """Why the change itself is rejected, '' if its items are all there is to it."""
    if here.field not in _MAKERS:
        return f"unknown field: {here.field[:MAX_LABEL]}"
    if not isinstance(value, dict):
        return "not an object"
    errors = as_list(value.get("errors") or None)
    if errors and not as_list(value.get("messages")):
        code = as_text(as_dict(errors[0]).get("code"))
        return " ".join(filter(None, ("errors:", code, error_text(errors))))[:MAX_ID]
    return "" if has_items else "no content"


def _is_heavy(here: Change, value: Json) -> bool:
    """Whether a thousand copies of what's beside the items would be a burden."""
    return _size([here.field, *(value.get(key) for key in ("messaging_product", "metadata", "errors"))]) > MAX_AROUND


def _light(contact: Json) -> Json:
    """The contact; if it's long, only what we read of it."""
    if _size(contact) <= MAX_AROUND:
        return contact
    profile = as_dict(contact.get("profile"))
    names = {key: as_text(profile.get(key))[:MAX_NAME] for key in ("name", "username")}
    return {"profile": names, **{key: as_text(contact.get(key))[: MAX_ID + 1] for key in ("wa_id", "user_id")}}


def _size(value: object) -> int:
    return len(json.dumps(value))


def _without_items(value: Json) -> Json:
    return {key: part for key, part in value.items() if key not in CUSTOMER}


def _field(change: object, value: Json) -> str:
    """The webhook field. Where it's missing, as in the original report's curl, it follows from the content."""
    given = as_text(as_dict(change).get("field"))
    guess = next((name for name, makers in _MAKERS.items() if any(value.get(key) for key in makers)), "messages")
    return given or guess


def _context(entry_id: object, field: str, value: Json) -> Change:
    given = as_list(value.get("contacts"))[: MAX_ITEMS + 1]
    contacts = [_light(contact) for contact in given if isinstance(contact, dict)]
    by_id = {as_text(contact.get(key)): contact for key in ("user_id", "wa_id") for contact in contacts}
    # With two customers in one change, an unmatched contact could belong to either. It's ignored then, because
    # giving one customer's user ID to another would merge their conversations.
    sole = contacts[0] if len(contacts) == 1 and not _has_several_customers(field, value) else {}
    return Change(entry_id, field, value, by_id, sole)


def _has_several_customers(field: str, value: Json) -> bool:
    first = ""
    for key in _MAKERS.get(field, ()):
        for item in as_list(value.get(key)):
            customer = next(filter(None, (as_text(as_dict(item).get(name)) for name in CUSTOMER[key])), "")
            if first and customer and customer != first:
                return True
            first = first or customer
    return False


def _item(here: Change, key: str, item: object) -> Item:
    if isinstance(item, dict) and key == "messages" and here.value.get("errors"):
        item = {"errors": here.value["errors"], **item}  # Meta puts a message's errors beside the message
    try:
        if not isinstance(item, dict):
            raise ItemRejected("not an object")
        return _MAKERS[here.field][key](here, item)
    except ItemRejected as rejection:
        return _rejected(str(rejection), here, _body_of_item(here, key, item))
    except Exception as error:  # noqa: BLE001
        # Our own bug with one item must not cost its neighbours; it shows up in the quarantine.
        return _rejected(f"error: {type(error).__name__}", here, _body_of_item(here, key, item))


def _rejected(reason: str, here: Change, raw: Json) -> Rejected:
    number = here.metadata("phone_number_id")
    return Rejected(reason=reason, field=here.field[:MAX_LABEL], phone_number_id=number, raw=raw)


def _body_of_item(here: Change, key: str, item: object) -> Json:
    """A whole webhook body with only this item."""
    contact = here.contact(key, item) if isinstance(item, dict) else {}
    value = {name: here.value[name] for name in ("messaging_product", "metadata") if name in here.value}
    contacts = {"contacts": [contact]} if contact else {}
    return _body_of(here.entry_id, {"field": here.field, "value": {**value, **contacts, key: [item]}})


def _body_of(entry_id: object, change: object) -> Json:
    return {"object": OBJECT, "entry": [{"id": entry_id, "changes": [change]}]}


_MAKERS: dict[str, dict[str, Callable[[Change, Json], Item]]] = {
    "messages": {"messages": inbound, "statuses": status},
    "smb_message_echoes": {"message_echoes": echo},
}
