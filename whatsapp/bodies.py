"""The part of Meta's message body that says what is sent: `type` and the field of that name.

https://developers.facebook.com/documentation/business-messaging/whatsapp/messages/send-messages
"""

import functools
from typing import Any

from conversations.contents import Buttons, Choices, Content, FileLink, FileUpload, LocationRequest, Template

Json = dict[str, Any]


@functools.singledispatch
def body(content: Content, media_id: str = "") -> Json:
    """`{"type": kind, kind: …}`, to be merged into the message's envelope. `media_id`: of a file that Meta has."""
    raise TypeError(f"nothing to send: {content!r}")


@body.register
def _file(content: FileLink, media_id: str = "") -> Json:
    named = {"link": content.link, "caption": content.caption, "filename": content.filename}
    return {"type": content.kind, content.kind: {key: value for key, value in named.items() if value}}


@body.register
def _upload(content: FileUpload, media_id: str = "") -> Json:
    filename = content.filename if content.kind == "document" else ""
    named = {"id": media_id, "caption": content.caption, "filename": filename}
    return {"type": content.kind, content.kind: {key: value for key, value in named.items() if value}}


@body.register
def _buttons(content: Buttons, media_id: str = "") -> Json:
    replies = [{"type": "reply", "reply": {"id": one.id, "title": one.title}} for one in content.buttons]
    return _interactive("button", content.text, {"buttons": replies})


@body.register
def _choices(content: Choices, media_id: str = "") -> Json:
    rows = [
        {"id": row.id, "title": row.title, **({"description": row.description} if row.description else {})}
        for row in content.rows
    ]
    return _interactive("list", content.text, {"button": content.button, "sections": [{"rows": rows}]})


@body.register
def _location_request(content: LocationRequest, media_id: str = "") -> Json:
    return _interactive("location_request_message", content.text, {"name": "send_location"})


@body.register
def _template(content: Template, media_id: str = "") -> Json:
    template: Json = {"name": content.template, "language": {"code": content.language}}
    parts = {"header": content.header, "body": content.parameters}
    if components := [
        {"type": part, "parameters": [{"type": "text", "text": value} for value in values]}
        for part, values in parts.items()
        if values
    ]:
        template["components"] = components
    return {"type": "template", "template": template}


def _interactive(kind: str, text: str, action: Json) -> Json:
    return {"type": "interactive", "interactive": {"type": kind, "body": {"text": text}, "action": action}}
