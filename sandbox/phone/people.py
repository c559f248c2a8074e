"""The business numbers and customers that you can add and change by hand."""

from functools import partial
from typing import Any

from django.db import transaction

from sandbox.identifiers import digits_of, new_bsuid
from sandbox.models import Chat, Customer, PhoneNumber
from sandbox.phone.envelopes import changed_identity
from sandbox.phone.messages import BadGesture
from sandbox.phone.posting import deliver
from sandbox.pool import pool

FIRST_NUMBER = "100000000000001"


def first_people() -> None:
    """Create a first number and first customers, unless they're there."""
    PhoneNumber.objects.get_or_create(
        phone_number_id=FIRST_NUMBER,
        defaults={
            "display_phone_number": "15550000001",
            "verified_name": "Harbour Bakery",
            "waba_id": "102290129340398",
        },
    )
    Customer.objects.get_or_create(phone="15551234567", defaults={"name": "Ada Okafor"})
    if not Customer.objects.filter(username="milo").exists():
        Customer.objects.create(name="Milo Ferrer", username="milo", hides_phone=True)


def _text(given: dict[str, Any], key: str, limit: int = 100) -> str:
    return str(given.get(key) or "").strip()[:limit]


def add_number(given: dict[str, Any]) -> PhoneNumber:
    phone_number_id = _text(given, "phone_number_id", 64)
    if not phone_number_id:
        raise BadGesture("A business number needs a `phone_number_id`.")
    number = PhoneNumber.known_as(phone_number_id)
    changed = {
        "verified_name": _text(given, "name"),
        "app_secret": _text(given, "app_secret", 200),
        "access_token": _text(given, "access_token", 500),
    }
    for name, value in changed.items():
        if value:
            setattr(number, name, value)
    number.save(update_fields=list(changed))
    return number


def add_customer(given: dict[str, Any]) -> Customer:
    """A customer needs a phone number or a username. Raises BadGesture."""
    name, username = _text(given, "name"), _text(given, "username", 64).lstrip("@")
    phone = digits_of(_text(given, "phone", 40))
    if _text(given, "phone") and not phone:
        raise BadGesture("A phone number must have 5 to 20 digits.")
    if not phone and not username:
        raise BadGesture("Enter a phone number or a username.")
    return Customer.objects.create(
        name=name or username or f"+{phone}",
        phone=phone,
        username=username,
        hides_phone=bool(given.get("hides_phone")) or not phone,
    )


def change_number(customer: Customer, given: dict[str, Any]) -> Customer:
    """A new number comes with a new user ID. Every business the customer wrote to gets a system message."""
    phone = digits_of(_text(given, "phone", 40))
    if not phone:
        raise BadGesture("A phone number must have 5 to 20 digits.")
    old = Customer(phone=customer.phone, user_id=customer.user_id, hides_phone=customer.hides_phone)
    customer.phone, customer.user_id = phone, new_bsuid()
    customer.save(update_fields=["phone", "user_id"])
    transaction.on_commit(partial(_tell, customer, old))
    return customer


def _tell(customer: Customer, old: Customer) -> None:
    for chat in Chat.objects.filter(customer=customer).select_related("number", "customer"):
        pool.submit(partial(deliver, changed_identity(chat, old), chat.number))
