"""Shows on the phone what reaches the bot's webhook in another way, such as with curl."""

from collections.abc import Callable
from functools import partial
from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from sandbox.identifiers import digits_of, new_wamid
from sandbox.models import Chat, Customer, Message, PhoneNumber
from sandbox.phone.posting import USER_AGENT
from sandbox.pool import pool
from sandbox.stored_json import loads


class Overhear:
    """Middleware of a webhook in the same process. What the sandbox delivers is on the phone already."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        accepted = request.method == "POST" and response.status_code == 200
        if accepted and request.headers.get("User-Agent") != USER_AGENT:
            pool.submit(partial(note, request.body))
        return response


def note(raw: bytes) -> None:
    """Add the customers' texts in a delivery to their chats."""
    try:
        delivery = loads(raw)
    except ValueError:
        return
    for entry in _list(delivery, "entry"):
        for value in (_dict(change, "value") for change in _list(entry, "changes")):
            number = str(_dict(value, "metadata").get("phone_number_id") or "")
            for item in _list(value, "messages") if number else []:
                if isinstance(item, dict):
                    _add(PhoneNumber.known_as(number), item)


def _add(number: PhoneNumber, item: dict[str, Any]) -> None:
    phone, body = digits_of(str(item.get("from", ""))), _dict(item, "text").get("body")
    if not phone or not isinstance(body, str):
        return
    Message.objects.get_or_create(
        wamid=str(item.get("id") or new_wamid())[:128],
        defaults={
            "chat": Chat.between(number, Customer.of_phone(phone)),
            "from_customer": True,
            "kind": "text",
            "content": {"body": body},
            "state": "delivered",
        },
    )


def _list(parent: object, key: str) -> list[Any]:
    found = parent.get(key) if isinstance(parent, dict) else None
    return found if isinstance(found, list) else []


def _dict(parent: object, key: str) -> dict[str, Any]:
    found = parent.get(key) if isinstance(parent, dict) else None
    return found if isinstance(found, dict) else {}
