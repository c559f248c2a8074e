"""The webhooks Meta would send: one envelope per change.

Source: https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/reference/messages
"""

import time
from typing import Any

from sandbox.graph_errors import status_error
from sandbox.models import Customer, Message, PhoneNumber

Envelope = dict[str, Any]


def envelope(number: PhoneNumber, **value: Any) -> Envelope:
    """One change of the field `messages`; `value` holds contacts, messages, statuses."""
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
    """`from` as far as the customer shows the number, and always the user id."""
    shown = {"from": customer.wa_id} if customer.wa_id else {}
    return shown | {"from_user_id": customer.user_id}


def inbound(message: Message, **extra: Any) -> Envelope:
    """A customer's message, with `extra` fields such as context."""
    chat = message.chat
    item: dict[str, Any] = {
        **sender(chat.customer),
        "id": message.wamid,
        "timestamp": str(int(message.created_at.timestamp())),
        "type": message.kind,
        **extra,
    }
    if message.kind != "unsupported":
        item[message.kind] = message.content["contacts"] if message.kind == "contacts" else message.content
    return envelope(chat.number, contacts=[contact(chat.customer)], messages=[item])


def status(message: Message, state: str, error_code: int | None = None) -> Envelope:
    """`sent`, `delivered`, `read` or `failed` of a business's message, with its opaque data."""
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
