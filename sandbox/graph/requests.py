"""What a bot posts to /messages, validated as Meta does.

Source: https://developers.facebook.com/documentation/business-messaging/whatsapp/reference/whatsapp-business-phone-number/message-api
"""

from dataclasses import dataclass
from typing import Any

from sandbox.graph.content import CHECKS, missing
from sandbox.graph.errors import GraphRefusal
from sandbox.identifiers import digits_of, is_bsuid

OPAQUE_LIMIT = 512


@dataclass(frozen=True)
class Recipient:
    """A phone number or a user ID. `lost` if Meta would accept the message but never deliver it."""

    given: str
    phone: str = ""
    user_id: str = ""
    lost: bool = False


@dataclass(frozen=True)
class SendRequest:
    recipient: Recipient
    kind: str
    content: dict[str, Any]
    quotes: str
    opaque: str


@dataclass(frozen=True)
class ReadRequest:
    message_id: str
    typing: bool


def parse(body: object) -> SendRequest | ReadRequest:
    """Raises GraphRefusal."""
    if not isinstance(body, dict):
        raise GraphRefusal(100, "(#100) The request body must be a JSON object.")
    if "messaging_product" not in body:
        raise missing("messaging_product")
    if body["messaging_product"] != "whatsapp":
        raise GraphRefusal(100, "(#100) Param messaging_product must be one of {WHATSAPP}.")
    return _read(body) if body.get("status") == "read" else _send(body)


def _read(body: dict[str, Any]) -> ReadRequest:
    message_id = body.get("message_id")
    if not isinstance(message_id, str) or not message_id:
        raise missing("message_id")
    typing = body.get("typing_indicator")
    if typing is not None and (not isinstance(typing, dict) or typing.get("type") != "text"):
        raise GraphRefusal(100, "(#100) Param typing_indicator['type'] must be one of {TEXT}.")
    return ReadRequest(message_id, typing is not None)


def _send(body: dict[str, Any]) -> SendRequest:
    kind = body.get("type", "text")
    if kind not in CHECKS:
        allowed = ", ".join(sorted(CHECKS)).upper()
        raise GraphRefusal(100, f'(#100) Param type must be one of {{{allowed}}} - got "{kind}".')
    recipient = _recipient(body)
    content = body.get(kind)
    if kind == "contacts":
        content = {"contacts": content}
    if not isinstance(content, dict):
        raise missing(kind)
    CHECKS[kind](content)
    return SendRequest(recipient, kind, content, _quotes(body), _opaque(body))


def _recipient(body: dict[str, Any]) -> Recipient:
    """`to` takes precedence over `recipient`, as with Meta."""
    if body.get("recipient_type", "individual") != "individual":
        raise GraphRefusal(100, "(#100) Param recipient_type must be one of {INDIVIDUAL}.")
    to, user_id = body.get("to"), body.get("recipient")
    if isinstance(to, str) and to:
        if is_bsuid(to):
            return Recipient(to, user_id=to, lost=True)
        if not digits_of(to):
            raise GraphRefusal(131009, details=f"Param to: '{to[:40]}' is not a phone number.")
        return Recipient(to, phone=digits_of(to))
    if not isinstance(user_id, str) or not user_id:
        raise missing("to")
    if not is_bsuid(user_id):
        raise GraphRefusal(131009, details=f"Param recipient: '{user_id[:40]}' is not a business-scoped user ID.")
    return Recipient(user_id, user_id=user_id)


def _quotes(body: dict[str, Any]) -> str:
    context = body.get("context")
    if context is None:
        return ""
    if not isinstance(context, dict) or not isinstance(context.get("message_id"), str):
        raise missing("context['message_id']")
    return str(context["message_id"])


def _opaque(body: dict[str, Any]) -> str:
    opaque = body.get("biz_opaque_callback_data", "")
    if not isinstance(opaque, str):
        raise GraphRefusal(100, "(#100) Param biz_opaque_callback_data must be a string.")
    if len(opaque) > OPAQUE_LIMIT:
        raise GraphRefusal(
            100, f"(#100) Param biz_opaque_callback_data must be at most {OPAQUE_LIMIT} characters long."
        )
    return opaque
