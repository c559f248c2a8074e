"""Meta's Graph API behind a fake network: returns scripted responses, and records requests."""

import json
from typing import Any

import httpx2

from conversations.outbox.senders import Outbound
from whatsapp.models import WhatsAppAccount

Answer = httpx2.Response | Exception
WAMID = "wamid.HBgLNzkwMDEyMzQ1NjcVAgARGBI5QTNDQTVCM0Q0Q0Q2RTY3RTcA"


def accepted(wamid: object = WAMID) -> httpx2.Response:
    """Meta's response to a message it accepts."""
    contacts = [{"input": "79001234567", "wa_id": "79001234567"}]
    return httpx2.Response(
        200, json={"messaging_product": "whatsapp", "contacts": contacts, "messages": [{"id": wamid}]}
    )


def refused(
    code: object,
    /,
    status: int = 400,
    details: str = "The details.",
    headers: dict[str, str] | None = None,
    **parts: Any,
) -> httpx2.Response:
    """An error as Meta documents it."""
    error: dict[str, Any] = {
        "message": f"(#{code}) The title",
        "type": "OAuthException",
        "code": code,
        "error_data": {"messaging_product": "whatsapp", "details": details},
        "error_subcode": 2494055,
        "fbtrace_id": "Az8or2yhqkZfEZ-_4Qn_Bam",
    }
    return httpx2.Response(status, json={"error": error | parts}, headers=headers)


def outbound(**parts: Any) -> Outbound:
    given: dict[str, Any] = {
        "tenant_id": 1,
        "message_id": 41,
        "channel": "whatsapp",
        "phone_number_id": "106540352242922",
        "phone": "79001234567",
        "user_id": None,
        "text": "We are open until six.",
    }
    return Outbound(**given | parts)


def from_owner(**parts: Any) -> Outbound:
    """A message of the business that the number belongs to."""
    plain = outbound(**parts)
    account = WhatsAppAccount.objects.filter(phone_number_id=plain.phone_number_id).first()
    return outbound(**parts, tenant_id=account.tenant_id) if account else plain


class FakeGraph:
    """Return these responses in order, and then repeat the last one."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers) or [accepted()]
        self.requests: list[httpx2.Request] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        # A response can only be read once, but the last one is repeated.
        return httpx2.Response(answer.status_code, headers=answer.headers, content=answer.content)

    def body(self, index: int = -1) -> dict[str, Any]:
        body: dict[str, Any] = json.loads(self.requests[index].content)
        return body
