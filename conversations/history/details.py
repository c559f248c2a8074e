"""What a message says besides its text: the button that was tapped, the ad that it came from, its files."""

import json
from typing import Any, TypedDict

from django.conf import settings
from django.db.models import QuerySet
from django.db.models.fields.json import KeyTransform
from django.urls import reverse

from conversations.files import attachments
from conversations.files.attachments import Attachment
from conversations.models import ConversationMessage
from runtime.untrusted_json import Json, UnreadableJson, as_dict, as_text, loads, one_line

MAX_ID = 1000  # of a button or row; Meta allows 256 characters, and 128 in a template's payload
MAX_TEXT = 2000
REFERRAL = (
    *("source_type", "source_id", "source_url", "headline", "body"),
    *("media_type", "image_url", "video_url", "thumbnail_url", "ctwa_clid"),
)


class Choice(TypedDict):
    """The ID is the button's or row's that the business has chosen, or the payload of a template's button."""

    id: str
    title: str


class File(TypedDict):
    id: int
    kind: str
    state: str
    mime_type: str
    filename: str
    size: int | None
    transcript: str
    url: str


class Details(TypedDict):
    choice: Choice | None
    form: Json | None
    referral: dict[str, str] | None
    attachments: list[File]


NO_DETAILS: Details = {"choice": None, "form": None, "referral": None, "attachments": []}


def with_details(messages: "QuerySet[ConversationMessage]") -> list[ConversationMessage]:
    """These messages, each with its `details`. Only the parts of the raw item that they need are loaded."""
    rows = messages.defer("raw_json").annotate(
        raw_interactive=KeyTransform("interactive", "raw_json"),
        raw_button=KeyTransform("button", "raw_json"),
        raw_referral=KeyTransform("referral", "raw_json"),
    )
    found: list[Any] = list(rows)
    files = attachments.of(found)
    for message in found:
        is_theirs = message.role == "user"
        message.details = Details(
            choice=_choice(as_dict(message.raw_interactive), as_dict(message.raw_button)) if is_theirs else None,
            form=form_answers(as_dict(as_dict(message.raw_interactive).get("nfm_reply"))) or None
            if is_theirs
            else None,
            referral=referral(message.raw_referral) if is_theirs else None,
            attachments=[_file(file) for file in files.get(message.pk, [])],
        )
    return found


def referral(raw: object) -> dict[str, str] | None:
    """What Meta says about the ad or post from which the customer wrote. raw: JSON, or its text."""
    given = as_dict(json.loads(raw) if isinstance(raw, str) else raw)
    found = {name: as_text(given.get(name))[:MAX_TEXT] for name in REFERRAL}
    return {name: text for name, text in found.items() if text} or None


def ad_text(message: ConversationMessage) -> str:
    """What the ad said from which the customer wrote, as one line; "" without one."""
    ad = referral(getattr(message, "raw_referral", None)) or {}
    return one_line(": ".join(filter(None, [ad.get("headline"), ad.get("body")])) or ad.get("source_url", ""), 500)


def _choice(interactive: Json, button: Json) -> Choice | None:
    reply = as_dict(interactive.get("button_reply")) or as_dict(interactive.get("list_reply"))
    given, title = as_text(reply.get("id")), as_text(reply.get("title"))
    if button:  # of a template
        given, title = as_text(button.get("payload")), as_text(button.get("text"))
    return {"id": given[:MAX_ID], "title": title[:MAX_TEXT]} if given or title else None


def form_answers(reply: Json) -> Json:
    """A flow's answers, as the flow names them."""
    given = reply.get("response_json")
    try:
        return as_dict(loads(given.encode("utf-8", "replace")) if isinstance(given, str) else given)
    except UnreadableJson:
        return {}


def _file(file: Attachment) -> File:
    return {
        "id": file.pk,
        "kind": file.kind,
        "state": file.state,
        "mime_type": file.mime_type,
        "filename": file.filename,
        "size": file.size,
        "transcript": file.transcript,
        "url": settings.PUBLIC_URL + reverse("api_file", args=[file.pk]),
    }
