"""The approved message templates of a number, fetched from the Graph API each time someone wants to send one.

https://developers.facebook.com/docs/graph-api/reference/whats-app-business-account/message_templates
"""

import asyncio
from collections.abc import Sequence
from urllib.parse import quote

from asgiref.sync import async_to_sync
from django.conf import settings

from conversations.models import Conversation
from runtime import http
from runtime.untrusted_json import Json, as_dict, as_list, as_text
from whatsapp.graph import access, client
from whatsapp.models import WhatsAppAccount

from . import template
from .template import MessageTemplate

PAGE, PAGES = 100, 10
FIELDS = "name,language,status,category,components,parameter_format"


class TemplatesUnavailable(Exception):
    """The templates couldn't be fetched. The message says why, for the user."""


def approved_templates(conversation: Conversation) -> list[MessageTemplate]:
    """The approved templates of the number's account, by name. Raises TemplatesUnavailable."""
    phone_number_id = conversation.phone_number_id
    way = access.sending_access([phone_number_id])[0]
    if not way.is_of(conversation.tenant_id):
        raise TemplatesUnavailable("This number belongs to another business now.")
    waba_id = way.waba_id or _waba_id(phone_number_id)
    if way.problem:
        raise TemplatesUnavailable(f"Can't fetch the templates: {way.problem}.")
    if not waba_id:
        raise TemplatesUnavailable("The WhatsApp Business Account ID is missing. Enter it in the WhatsApp account.")
    try:
        found = async_to_sync(_all)(waba_id, way.token)
    except TimeoutError as error:
        raise TemplatesUnavailable("Meta didn't respond in time. Try again in a moment.") from error
    except client.GraphError as error:
        raise TemplatesUnavailable(f"Meta refused to list the templates: {error.reason.rstrip('.')}.") from error
    known = (template.parse(piece) for piece in found if as_text(piece.get("status")).upper() == "APPROVED")
    return sorted(known, key=lambda one: (one.name, one.language))


def find(templates: Sequence[MessageTemplate], name: str | None, language: str | None) -> MessageTemplate | None:
    """The template with this name in this language."""
    return next((one for one in templates if (one.name, one.language) == (name, language)), None)


def _waba_id(phone_number_id: str) -> str:
    if settings.MULTITENANT_ENABLED:
        return ""
    account = WhatsAppAccount.objects.filter(phone_number_id=phone_number_id).order_by("-is_active").first()
    return (account.waba_id if account else "") or str(settings.WHATSAPP_WABA_ID)


async def _all(waba_id: str, token: str) -> list[Json]:
    path, found, after = f"{quote(waba_id, safe='')}/message_templates", [], ""
    async with (
        asyncio.timeout(settings.GRAPH_SECONDS),
        http.keep_connections(),
    ):  # for all pages
        for _ in range(PAGES):
            more = {"after": after} if after else {}
            answer = await client.get(path, token, fields=FIELDS, limit=str(PAGE), **more)
            found += [piece for piece in as_list(answer.get("data")) if isinstance(piece, dict)]
            paging = as_dict(answer.get("paging"))
            after = as_text(as_dict(paging.get("cursors")).get("after"))
            if not after or not paging.get("next"):
                break
    return found
