"""The part of Meta's request body that describes the content: `type` and the field with that name.

https://developers.facebook.com/documentation/business-messaging/whatsapp/messages/send-messages
"""

import functools
from typing import Any

from conversations.outbox.contents import (
    ButtonParameter,
    Buttons,
    Content,
    FileLink,
    FileUpload,
    ListMessage,
    Location,
    LocationRequest,
    Parameter,
    PreviewedText,
    Template,
)

Json = dict[str, Any]


@functools.singledispatch
def body(content: Content | Location, media_id: str = "") -> Json:
    """`{"type": kind, kind: …}`, to merge into the request body. `media_id`: of a file uploaded to Meta."""
    raise TypeError(f"not a content: {content!r}")


@body.register
def _file(content: FileLink, media_id: str = "") -> Json:
    return _of_kind(content.kind, {"link": content.link, "caption": content.caption, "filename": content.filename})


@body.register
def _upload(content: FileUpload, media_id: str = "") -> Json:
    filename = content.filename if content.kind == "document" else ""
    return _of_kind(content.kind, {"id": media_id, "caption": content.caption, "filename": filename})


@body.register
def _previewed_text(content: PreviewedText, media_id: str = "") -> Json:
    return _of_kind("text", {"body": content.as_text, "preview_url": True})


@body.register
def _location(content: Location, media_id: str = "") -> Json:
    point = {"latitude": str(content.latitude), "longitude": str(content.longitude)}
    return _of_kind("location", point | {"name": content.title, "address": content.address})


def _of_kind(kind: str, fields: Json) -> Json:
    return {"type": kind, kind: {name: value for name, value in fields.items() if value}}


@body.register
def _buttons(content: Buttons, media_id: str = "") -> Json:
    replies = [{"type": "reply", "reply": {"id": one.id, "title": one.title}} for one in content.buttons]
    return _interactive("button", content.text, {"buttons": replies})


@body.register
def _list(content: ListMessage, media_id: str = "") -> Json:
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
    template: Json = {"name": content.name, "language": {"code": content.language}}
    parts = [
        ("header", [body(content.header_media, media_id)] if content.header_media else _texts(content.header)),
        ("body", _texts(content.body)),
    ]
    components: list[Json] = [{"type": part, "parameters": parameters} for part, parameters in parts if parameters]
    if components := [*components, *map(_button_parameter, content.button_parameters)]:
        template["components"] = components
    return {"type": "template", "template": template}


def _texts(parameters: tuple[Parameter, ...]) -> list[Json]:
    return [
        {"type": "text", **({"parameter_name": one.name} if one.name else {}), "text": one.value} for one in parameters
    ]


def _button_parameter(button: ButtonParameter) -> Json:
    parameters: dict[str, Json] = {
        "url": {"type": "text", "text": button.value},
        "copy_code": {"type": "coupon_code", "coupon_code": button.value},
        "flow": {"type": "action", "action": {"flow_token": "unused"}},  # Meta's own default
    }
    named = {"type": "button", "sub_type": button.kind, "index": str(button.index)}
    return named | {"parameters": [parameters[button.kind]]}


def _interactive(kind: str, text: str, action: Json) -> Json:
    return {"type": "interactive", "interactive": {"type": kind, "body": {"text": text}, "action": action}}
