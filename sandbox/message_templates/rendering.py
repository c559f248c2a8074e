"""A template message as the phone shows it. Best effort if the template has changed since."""

from typing import Any

from sandbox.graph.content import Content
from sandbox.graph.errors import GraphRefusal
from sandbox.message_templates.parameters import Given, GivenButton, Parameters, given, text_of
from sandbox.message_templates.shape import Template, fill, find, places

Shown = dict[str, Any]
NOTHING = GivenButton("", [])


def media_of(content: Content) -> tuple[str, Content]:
    """The kind of the header's file, and the object with its ID or link. '' and {} if there is none."""
    template = find(content)
    if template is None or template.header_kind in ("", "location"):
        return "", {}
    return template.header_kind, _first(_given(content).header, template.header_kind)


def parts_of(content: Content) -> tuple[Shown | None, str, str]:
    """The header as `{"kind", "content"}` or `{"kind": "text", "text"}`, the body, and the footer."""
    template = find(content)
    if template is None:
        return None, str(content.get("name", "")), ""
    filled = _given(content)
    words = _filled(template, template.body, filled.body)
    return _header(template, filled), words, str(template.part("FOOTER").get("text", ""))


def buttons_of(content: Content) -> list[Shown]:
    """The buttons. Quick replies have an ID, the others an action."""
    template = find(content)
    if template is None:
        return []
    filled = _given(content).buttons
    return [_button(button, filled.get(index, NOTHING)) for index, button in enumerate(template.buttons)]


def payload_of(content: Content, reply: str) -> str | None:
    """The payload of a quick reply, or its text if it has none. None if there's no such quick reply."""
    template = find(content)
    for index, button in enumerate(template.buttons if template else []):
        if (button["type"], button["text"]) == ("QUICK_REPLY", reply):
            return str(_given(content).buttons.get(index, NOTHING).value("payload") or reply)
    return None


def _given(content: Content) -> Given:
    try:
        return given(content)
    except GraphRefusal:
        return Given([], [], {})


def _header(template: Template, filled: Given) -> Shown | None:
    kind, text = template.header_kind, template.header_text
    if kind:
        return {"kind": kind, "content": _first(filled.header, kind)}
    return {"kind": "text", "text": _filled(template, text, filled.header)} if text else None


def _first(parameters: Parameters, kind: str) -> Content:
    found: Content = parameters[0].get(kind, {}) if parameters else {}
    return found


def _filled(template: Template, text: str, parameters: Parameters) -> str:
    names = places(text, template.named)
    if template.named:
        names = [str(parameter.get("parameter_name")) for parameter in parameters]
    return fill(text, dict(zip(names, map(text_of, parameters), strict=False)))


def _button(button: dict[str, Any], sent: GivenButton) -> Shown:
    title = {"title": button["text"]}
    match button["type"]:
        case "URL":
            return title | {"url": fill(button["url"], {"1": str(sent.value("text"))})}
        case "PHONE_NUMBER":
            return title | {"call": button["phone_number"]}
        case "COPY_CODE":
            return title | {"code": str(sent.value("coupon_code"))}
        case "FLOW":
            return title | {"flow": button["flow_id"]}
    return title | {"id": button["text"]}
