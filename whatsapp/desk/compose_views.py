"""The page for what is more than a text or a file: reply buttons, a list, the wish for a place, a file by link."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import URLPattern, path

from conversations.outbox import contents
from conversations.outbox.contents import Button, Buttons, Content, FileLink, ListMessage, LocationRequest, Row

from . import sending

if TYPE_CHECKING:
    from tenants.scoped_admin import TenantScopedAdmin

    Base = TenantScopedAdmin
else:
    Base = object

Given = dict[str, str]
APART = "|"


@dataclass(frozen=True, slots=True)
class Field:
    name: str
    label: str
    most: int = 0
    rows: int = 0  # of a field of several lines
    options: tuple[str, ...] = ()
    is_needed: bool = True


@dataclass(frozen=True, slots=True)
class Section:
    """One thing to send, with its own form."""

    name: str
    title: str
    fields: tuple[Field, ...]
    make: Callable[[Given], Content]


def _lines(given: Given) -> list[str]:
    return [line.strip() for line in given["choices"].splitlines() if line.strip()]


def _row(line: str) -> Row:
    title, _, description = (part.strip() for part in line.partition(APART))
    return Row(title, title, description)


def _link(given: Given) -> FileLink:
    return FileLink(given["kind"], given["link"], given["caption"])


SECTIONS = {
    section.name: section
    for section in (
        Section(
            "buttons",
            "Reply buttons",
            (Field("text", "Text", contents.BODY, 2), Field("choices", "Buttons, one a line, at most three", rows=3)),
            lambda given: Buttons(given["text"], tuple(Button(line, line) for line in _lines(given))),
        ),
        Section(
            "list",
            "A list",
            (
                Field("text", "Text", contents.LIST_BODY, 2),
                Field("button", "The button that opens it", contents.BUTTON),
                Field("choices", f"Choices, one a line, at most ten: title {APART} description", rows=4),
            ),
            lambda given: ListMessage(given["text"], given["button"], tuple(map(_row, _lines(given)))),
        ),
        Section(
            "location",
            "Ask for the place",
            (Field("text", "Text", contents.BODY, 2),),
            lambda given: LocationRequest(given["text"]),
        ),
        Section(
            "link",
            "A file by its address",
            (
                Field("kind", "What it is", options=contents.FILE_KINDS),
                Field("link", "Public address (https://…)", 2048),
                Field("caption", "Caption", contents.CAPTION, is_needed=False),
            ),
            _link,
        ),
    )
}


class ComposeViews(Base):
    """Mixed into the admin of the numbers; who may is said by the admin of the conversations."""

    def get_urls(self) -> list[URLPattern]:
        page = self.admin_site.admin_view(self.compose_view)
        return [path("compose/<int:conversation_id>/", page, name="whatsapp_compose"), *super().get_urls()]

    def compose_view(self, request: HttpRequest, conversation_id: int) -> HttpResponse:
        conversation = sending.writable(self.admin_site, request, conversation_id)
        content = _content(request) if request.method == "POST" else None
        if content is not None and sending.send(request, conversation, content):
            return redirect("admin:conversations_conversation_change", conversation.pk)
        chosen = request.POST.get("what", "")

        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": f"Send more to {conversation}",
            "conversation": conversation,
            "sections": [
                (
                    section,
                    [(field, request.POST.get(field.name, "") if name == chosen else "") for field in section.fields],
                )
                for name, section in SECTIONS.items()
            ],
        }
        return render(request, "whatsapp/compose.html", context)


def _content(request: HttpRequest) -> Content | None:
    """What the form holds; None, and a word about it, when WhatsApp would not take it."""
    section = SECTIONS.get(request.POST.get("what", ""))
    if section is None:
        return None
    given = {field.name: request.POST.get(field.name, "").replace("\x00", "").strip() for field in section.fields}
    try:
        return section.make(given)
    except ValueError as error:
        messages.error(request, f"{error} Nothing was sent.")
        return None
