"""The approved message templates of a number: asked of Graph whenever somebody wants to send one.

https://developers.facebook.com/docs/graph-api/reference/whats-app-business-account/message_templates
"""

import asyncio
from collections.abc import Sequence
from urllib.parse import quote

from asgiref.sync import async_to_sync
from django.conf import settings

from runtime import http
from runtime.untrusted_json import Json, as_dict, as_list, as_text
from whatsapp.graph import access, errors
from whatsapp.graph import client as graph_client
from whatsapp.models import WhatsAppAccount

from . import template
from .template import MessageTemplate

PAGE, PAGES = 100, 10
FIELDS = "name,language,status,category,components,parameter_format"


class NoTemplates(Exception):
    """They could not be listed; the text says why, for a person."""


def listed(phone_number_id: str) -> list[MessageTemplate]:
    """The approved templates of this number's account, by name. Raises NoTemplates."""
    way = access.sending_access([phone_number_id])[0]
    waba_id = way.waba_id or _waba_id(phone_number_id)
    if way.problem:
        raise NoTemplates(f"The templates cannot be asked for: {way.problem}.")
    if not waba_id:
        raise NoTemplates("The id of the WhatsApp Business Account is not known: put it into the number's account.")
    try:
        found = async_to_sync(_all)(waba_id, way.token)
    except TimeoutError as error:
        raise NoTemplates("Meta did not list the templates in time; try again in a moment.") from error
    except graph_client.GraphError as error:
        reason = f"{errors.code_as_text(error.code)}: {error.message}" if error.code else error.message
        raise NoTemplates(f"Meta did not list the templates: {reason}.") from error
    known = (template.read(piece) for piece in found if as_text(piece.get("status")).upper() == "APPROVED")
    return sorted(known, key=lambda one: (one.name, one.language))


def chosen(known: Sequence[MessageTemplate], name: str | None, language: str | None) -> MessageTemplate | None:
    """The one of this name in this language."""
    return next((one for one in known if (one.name, one.language) == (name, language)), None)


def _waba_id(phone_number_id: str) -> str:
    if settings.MULTITENANT_ENABLED:
        return ""
    account = WhatsAppAccount.objects.filter(phone_number_id=phone_number_id).first()
    return (account.waba_id if account else "") or str(settings.WHATSAPP_WABA_ID)


async def _all(waba_id: str, token: str) -> list[Json]:
    path, found, after = f"{quote(waba_id, safe='')}/message_templates", [], ""
    async with asyncio.timeout(settings.GRAPH_SECONDS), http.keep_connections():  # all pages together: somebody waits
        for _ in range(PAGES):
            more = {"after": after} if after else {}
            answer = await graph_client.GraphClient().get(path, token, fields=FIELDS, limit=str(PAGE), **more)
            found += [piece for piece in as_list(answer.get("data")) if isinstance(piece, dict)]
            paging = as_dict(answer.get("paging"))
            after = as_text(as_dict(paging.get("cursors")).get("after"))
            if not after or not paging.get("next"):
                break
    return found
