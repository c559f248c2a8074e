"""The approved message templates of a number: asked of Graph whenever somebody wants to send one.

https://developers.facebook.com/docs/graph-api/reference/whats-app-business-account/message_templates
"""

import asyncio
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from asgiref.sync import async_to_sync
from django.conf import settings

from conversations.contents import Template

from . import graph, graph_errors, way_out
from .json_body import Json, items, mapping, words
from .models import WhatsAppAccount

PLACE = re.compile(r"\{\{\s*(\w+)\s*\}\}")
PAGE, PAGES = 100, 10
FIELDS = "name,language,status,category,components,parameter_format"


class NoTemplates(Exception):
    """They could not be listed; the text says why, for a person."""


@dataclass(frozen=True, slots=True)
class Known:
    """An approved template as far as we can fill it: a text header and a body with numbered places."""

    name: str
    language: str
    category: str
    header: str
    body: str

    @property
    def places(self) -> list[str]:
        """What is to be filled in, header first."""
        return [*(f"header {place}" for place in self.header_places), *self.body_places]

    @property
    def header_places(self) -> list[str]:
        return PLACE.findall(self.header)

    @property
    def body_places(self) -> list[str]:
        return PLACE.findall(self.body)

    def filled(self, values: Sequence[str]) -> Template:
        """For `outbox.send_message`. Raises ValueError when a value is missing or too long."""
        if len(values) != len(self.places):
            raise ValueError(f"The template {self.name} takes {len(self.places)} values.")
        in_header = len(self.header_places)
        header, body = tuple(values[:in_header]), tuple(values[in_header:])
        text = "\n".join(filter(None, (_put(self.header, header), _put(self.body, body))))
        return Template(self.name, self.language, parameters=body, header=header, text=text)


def listed(phone_number_id: str) -> list[Known]:
    """The approved templates of this number's account, by name. Raises NoTemplates."""
    way = way_out.find(phone_number_id)
    waba_id = way.waba_id or _waba_id(phone_number_id)
    if way.problem:
        raise NoTemplates(f"The templates cannot be asked for: {way.problem}.")
    if not waba_id:
        raise NoTemplates("The id of the WhatsApp Business Account is not known: put it into the number's account.")
    try:
        found = async_to_sync(_all)(waba_id, way.token)
    except TimeoutError as error:
        raise NoTemplates("Meta did not list the templates in time; try again in a moment.") from error
    except graph.GraphError as error:
        reason = f"{graph_errors.words(error.code)}: {error.message}" if error.code else error.message
        raise NoTemplates(f"Meta did not list the templates: {reason}.") from error
    known = (_read(piece) for piece in found if words(piece.get("status")).upper() == "APPROVED")
    return sorted(filter(None, known), key=lambda one: (one.name, one.language))


def chosen(known: Sequence[Known], name: str | None, language: str | None) -> Known | None:
    """The one of this name in this language."""
    return next((one for one in known if (one.name, one.language) == (name, language)), None)


def _waba_id(phone_number_id: str) -> str:
    if settings.MULTITENANT_ENABLED:
        return ""
    account = WhatsAppAccount.objects.filter(phone_number_id=phone_number_id).first()
    return (account.waba_id if account else "") or str(settings.WHATSAPP_WABA_ID)


async def _all(waba_id: str, token: str) -> list[Json]:
    path, found, after = f"{quote(waba_id, safe='')}/message_templates", [], ""
    try:
        async with asyncio.timeout(settings.GRAPH_SECONDS):  # all pages together: somebody waits
            for _ in range(PAGES):
                more = {"after": after} if after else {}
                answer = await graph.GraphClient().get(path, token, fields=FIELDS, limit=str(PAGE), **more)
                found += [piece for piece in items(answer.get("data")) if isinstance(piece, dict)]
                paging = mapping(answer.get("paging"))
                after = words(mapping(paging.get("cursors")).get("after"))
                if not after or not paging.get("next"):
                    break
    finally:
        await graph.clients.close()  # this loop ends here, and so do its connections
    return found


def _read(piece: Json) -> Known | None:
    """None for one that we cannot fill: with a picture in its header, named places, or places in its buttons."""
    parts = {words(part.get("type")).upper(): part for part in items(piece.get("components")) if isinstance(part, dict)}
    header, body = parts.get("HEADER", {}), parts.get("BODY", {})
    named = words(piece.get("parameter_format")).upper() == "NAMED"
    is_fillable = words(header.get("format")).upper() in ("", "TEXT") and not _has_places(parts.get("BUTTONS"))
    if named or not is_fillable or not words(body.get("text")):
        return None
    texts = words(header.get("text")), words(body.get("text"))
    return Known(words(piece.get("name")), words(piece.get("language")), words(piece.get("category")), *texts)


def _has_places(buttons: Any) -> bool:
    return any(PLACE.search(text) for text in _texts(buttons))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _texts(part)
    elif isinstance(value, str):
        yield value


def _put(text: str, values: Sequence[str]) -> str:
    left = iter(values)
    return PLACE.sub(lambda place: next(left, place[0]), text)
