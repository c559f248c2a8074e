"""The webhooks Meta would send, one envelope per change.

Source: https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/reference/messages
"""

import time
from typing import Any

from sandbox.graph.errors import status_error
from sandbox.identifiers import new_wamid
from sandbox.models import Chat, Customer, Message, PhoneNumber

Envelope = dict[str, Any]


def envelope(number: PhoneNumber, **value: Any) -> Envelope:
    """A change of the field `messages`. `value` contains contacts, messages or statuses."""
    metadata = {
        "display_phone_number": number.display_phone_number,
        "phone_number_id": number.phone_number_id,
    }
    change = {"value": {"messaging_product": "whatsapp", "metadata": metadata, **value}, "field": "messages"}
    return {"object": "whatsapp_business_account", "entry": [{"id": number.waba_id, "changes": [change]}]}


def contact(customer: Customer) -> dict[str, Any]:
    profile = {"name": customer.name}
    if customer.username:
        profile["username"] = f"@{customer.username}"
    card: dict[str, Any] = {"profile": profile, "user_id": customer.user_id}
    if customer.wa_id:
        card["wa_id"] = customer.wa_id
    return card


def sender(customer: Customer) -> dict[str, str]:
    """`from`, if the customer shows the phone number, and always the user ID."""
    shown = {"from": customer.wa_id} if customer.wa_id else {}
    return shown | {"from_user_id": customer.user_id}


def context_of(message: Message, quoted: Message | None) -> dict[str, str]:
    """The message that a customer quotes or whose button they tapped: its sender and its ID."""
    by_customer = quoted is not None and quoted.from_customer
    chat = message.chat
    writer = (chat.customer.wa_id or chat.customer.user_id) if by_customer else chat.number.display_phone_number
    return {"from": writer, "id": message.quotes}


def inbound(message: Message, extra: dict[str, Any]) -> Envelope:
    """A customer's message. `extra` are fields such as `context`."""
    chat = message.chat
    item: dict[str, Any] = {
        **sender(chat.customer),
        "id": message.wamid,
        "timestamp": str(int(message.created_at.timestamp())),
        "type": message.kind,
        **extra,
    }
    item[message.kind] = message.content["contacts"] if message.kind == "contacts" else message.content
    return envelope(chat.number, contacts=[contact(chat.customer)], messages=[item])


def joined(envelopes: list[Envelope]) -> Envelope:
    """Several deliveries in one, batched as Meta does."""
    return envelopes[0] | {"entry": [entry for each in envelopes for entry in each["entry"]]}


def changed_identity(chat: Chat, old: Customer) -> Envelope:
    """The customer has a new user ID, and a new number if businesses can see it."""
    new = chat.customer
    system: dict[str, Any] = {"user_id": new.user_id, "previous_user_id": old.user_id}
    if new.wa_id and old.wa_id:
        body = f"User {new.name} changed from {old.wa_id} to {new.wa_id}"
        system |= {"body": body, "wa_id": new.wa_id, "type": "user_changed_number"}
    else:
        system |= {"body": f"User {new.name} changed user id", "type": "user_changed_user_id"}
    item = {
        **sender(old),
        "id": new_wamid(),
        "timestamp": str(int(time.time())),
        "type": "system",
        "system": system,
    }
    return envelope(chat.number, messages=[item])


def status(message: Message, state: str, error_code: int | None = None) -> Envelope:
    """The status `sent`, `delivered`, `read` or `failed` of a business's message, with its opaque data."""
    customer = message.chat.customer
    now = int(time.time())
    item: dict[str, Any] = {"id": message.wamid, "status": state, "timestamp": str(now)}
    if customer.wa_id:
        item["recipient_id"] = customer.wa_id
    item["recipient_user_id"] = customer.user_id
    if message.opaque:
        item["biz_opaque_callback_data"] = message.opaque
    if error_code is not None:
        item["errors"] = [status_error(error_code)]
    elif state in ("sent", "delivered"):
        category = "utility" if message.kind == "template" else "service"
        item["pricing"] = {
            "billable": message.kind == "template",
            "pricing_model": "PMP",
            "category": category,
            "type": "regular" if message.kind == "template" else "free_customer_service",
        }
    return envelope(message.chat.number, contacts=[contact(customer)], statuses=[item])
