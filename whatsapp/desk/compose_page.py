"""The page for everything except text and uploads: reply buttons, a list, a location request, a file from a URL."""

from collections.abc import Callable
from dataclasses import dataclass

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from conversations.desk import extensions, form_tokens
from conversations.desk.pages import page_url
from conversations.models import Conversation
from conversations.outbox import contents
from conversations.outbox.contents import Button, Buttons, Content, FileLink, ListMessage, LocationRequest, Row
from conversations.replies import ReplyRefused, reply
from tenants.users import user_of

Values = dict[str, str]
SEPARATOR = "|"


@dataclass(frozen=True, slots=True)
class Field:
    name: str
    label: str
    max_length: int = 0
    rows: int = 0  # more than 0: a text area
    options: tuple[str, ...] = ()
    is_required: bool = True


@dataclass(frozen=True, slots=True)
class Section:
    """One type of content with its form."""

    name: str
    title: str
    fields: tuple[Field, ...]
    make: Callable[[Values], Content]


def _choices(values: Values) -> list[str]:
    return [line.strip() for line in values["choices"].splitlines() if line.strip()]


def _row(line: str) -> Row:
    title, _, description = (part.strip() for part in line.partition(SEPARATOR))
    return Row(title, title, description)


SECTIONS = {
    section.name: section
    for section in (
        Section(
            "buttons",
            "Reply buttons",
            (
                Field("text", "Text", contents.BODY, rows=2),
                Field("choices", f"Buttons (one per line, up to {contents.MAX_BUTTONS})", rows=3),
            ),
            lambda values: Buttons(values["text"], tuple(Button(line, line) for line in _choices(values))),
        ),
        Section(
            "list",
            "List",
            (
                Field("text", "Text", contents.LIST_BODY, rows=2),
                Field("button", "Label of the button that opens the list", contents.BUTTON),
                Field(
                    "choices",
                    f"Choices (one per line, up to {contents.MAX_ROWS}): title {SEPARATOR} description",
                    rows=4,
                ),
            ),
            lambda values: ListMessage(values["text"], values["button"], tuple(map(_row, _choices(values)))),
        ),
        Section(
            "location",
            "Location request",
            (Field("text", "Text", contents.BODY, rows=2),),
            lambda values: LocationRequest(values["text"]),
        ),
        Section(
            "link",
            "File from a URL",
            (
                Field("kind", "Type", options=contents.FILE_KINDS),
                Field("link", "Public URL (https://…)", 2048),
                Field("caption", "Caption (optional)", contents.CAPTION, is_required=False),
            ),
            lambda values: FileLink(values["kind"], values["link"], values["caption"]),
        ),
    )
}


@extensions.register_page("compose", "Send buttons or a list", needs_window=True)
def compose_page(request: HttpRequest, conversation: Conversation, context: dict[str, object]) -> HttpResponse:
    submitted = SECTIONS.get(request.POST.get("section", ""))
    if submitted and _send(request, conversation, submitted):
        return redirect(page_url(conversation, request))
    sections = []
    for section in SECTIONS.values():
        values = request.POST if section is submitted else {}
        sections.append((section, [(field, values.get(field.name, "")) for field in section.fields]))
    context |= {"title": f"Send an interactive message to {conversation}", "sections": sections}
    return render(request, "whatsapp/compose.html", context)


def _send(request: HttpRequest, conversation: Conversation, section: Section) -> bool:
    values = {field.name: request.POST.get(field.name, "").replace("\x00", "").strip() for field in section.fields}
    try:
        reply(conversation.pk, user_of(request), section.make(values), form_token=form_tokens.of(request))
    except (ReplyRefused, ValueError) as error:
        messages.error(request, f"Not sent. {error}")
        return False
    return True
