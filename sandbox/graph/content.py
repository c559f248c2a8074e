"""The limits of each kind of outbound message. Checks raise GraphRefusal."""

from collections.abc import Callable
from typing import Any

from sandbox.graph.errors import GraphRefusal

Content = dict[str, Any]


def missing(name: str) -> GraphRefusal:
    return GraphRefusal(100, f"(#100) The parameter {name} is required.")


def wrong(name: str, why: str) -> GraphRefusal:
    return GraphRefusal(100, f"(#100) Param {name} {why}.")


def _string(content: Content, path: str, key: str, limit: int) -> str:
    value = content.get(key)
    name = f"{path}['{key}']"
    if value is None or value == "":
        raise missing(name)
    if not isinstance(value, str):
        raise wrong(name, "must be a string")
    if len(value) > limit:
        raise wrong(name, f"must be at most {limit} characters long")
    return value


def _object(content: Content, path: str, key: str) -> Content:
    value = content.get(key)
    if not isinstance(value, dict):
        raise missing(f"{path}['{key}']")
    return value


def _items(content: Content, path: str, key: str, most: int) -> list[Content]:
    value = content.get(key)
    name = f"{path}['{key}']"
    if not isinstance(value, list) or not value:
        raise missing(name)
    if len(value) > most:
        raise wrong(name, f"must have at most {most} elements")
    if not all(isinstance(item, dict) for item in value):
        raise wrong(name, "must hold objects")
    return value


def _unique(values: list[str], name: str) -> None:
    if len(set(values)) != len(values):
        raise GraphRefusal(131009, details=f"{name} must be unique.")


def check_text(content: Content) -> None:
    body = _string(content, "text", "body", 4096)
    if not body.strip():
        raise missing("text['body']")


def _check_media(kind: str, caption: int) -> Callable[[Content], None]:
    def check(content: Content) -> None:
        if bool(content.get("id")) == bool(content.get("link")):
            raise wrong(kind, "must have exactly one of id and link")
        if "link" in content and not str(content["link"]).startswith(("https://", "http://")):
            raise wrong(f"{kind}['link']", "must be a valid URI")
        if "caption" in content:
            if not caption:
                raise wrong(f"{kind}['caption']", "is not supported")
            _string(content, kind, "caption", caption)

    return check


def check_location(content: Content) -> None:
    for key, most in (("latitude", 90), ("longitude", 180)):
        try:
            value = float(content[key])
        except KeyError:
            raise missing(f"location['{key}']") from None
        except (TypeError, ValueError):
            raise wrong(f"location['{key}']", "must be a number") from None
        if not -most <= value <= most:
            raise wrong(f"location['{key}']", f"must be between -{most} and {most}")


def check_contacts(content: Content) -> None:
    for card in _items(content, "", "contacts", 257):
        _string(_object(card, "contacts", "name"), "contacts['name']", "formatted_name", 1024)


def check_reaction(content: Content) -> None:
    _string(content, "reaction", "message_id", 128)
    if not isinstance(content.get("emoji"), str):
        raise missing("reaction['emoji']")


def check_template(content: Content) -> None:
    _string(content, "template", "name", 512)
    _string(_object(content, "template", "language"), "template['language']", "code", 15)


def check_interactive(content: Content) -> None:
    kind = content.get("type")
    if kind not in INTERACTIVE:
        raise wrong("interactive['type']", f"must be one of {{{', '.join(INTERACTIVE).upper()}}}")
    _string(
        _object(content, "interactive", "body"),
        "interactive['body']",
        "text",
        4096 if kind == "list" else 1024,
    )
    if "footer" in content:
        _string(_object(content, "interactive", "footer"), "interactive['footer']", "text", 60)
    INTERACTIVE[kind](_object(content, "interactive", "action"))


def _check_buttons(action: Content) -> None:
    path = "interactive['action']"
    buttons = _items(action, path, "buttons", 3)
    replies = []
    for button in buttons:
        if button.get("type") != "reply":
            raise wrong(f"{path}['buttons']['type']", "must be one of {REPLY}")
        reply = _object(button, path, "reply")
        _string(reply, f"{path}['reply']", "title", 20)
        replies.append(_string(reply, f"{path}['reply']", "id", 256))
    _unique(replies, "Button ids")
    _unique([button["reply"]["title"] for button in buttons], "Button titles")


def _check_list(action: Content) -> None:
    path = "interactive['action']"
    _string(action, path, "button", 20)
    ids = []
    sections = _items(action, path, "sections", 10)
    for section in sections:
        if len(sections) > 1:
            _string(section, f"{path}['sections']", "title", 24)
        for row in _items(section, f"{path}['sections']", "rows", 10):
            _string(row, f"{path}['rows']", "title", 24)
            ids.append(_string(row, f"{path}['rows']", "id", 200))
            if row.get("description"):
                _string(row, f"{path}['rows']", "description", 72)
    if len(ids) > 10:
        raise wrong(f"{path}['sections']", "must have at most 10 rows in total")
    _unique(ids, "Row ids")


def _check_location_request(action: Content) -> None:
    if action.get("name") != "send_location":
        raise wrong("interactive['action']['name']", "must be one of {SEND_LOCATION}")


def _check_url_button(action: Content) -> None:
    path = "interactive['action']['parameters']"
    parameters = _object(action, "interactive['action']", "parameters")
    _string(parameters, path, "display_text", 20)
    _string(parameters, path, "url", 2000)


INTERACTIVE: dict[str, Callable[[Content], None]] = {
    "button": _check_buttons,
    "list": _check_list,
    "location_request_message": _check_location_request,
    "cta_url": _check_url_button,
}
CHECKS: dict[str, Callable[[Content], None]] = {
    "text": check_text,
    "image": _check_media("image", 1024),
    "video": _check_media("video", 1024),
    "document": _check_media("document", 1024),
    "audio": _check_media("audio", 0),
    "sticker": _check_media("sticker", 0),
    "location": check_location,
    "contacts": check_contacts,
    "reaction": check_reaction,
    "template": check_template,
    "interactive": check_interactive,
}
