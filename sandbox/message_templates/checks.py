"""Checks a template message against its template. Raises GraphRefusal as Meta does.

The error texts are Meta's where someone has reported them:
https://github.com/netflie/laravel-notification-whatsapp/issues/36 (a header of the wrong kind)
https://github.com/netflie/laravel-notification-whatsapp/issues/41 (a parameter without a name)
https://github.com/chatwoot/chatwoot/issues/12393 (a URL button without its parameter)
https://github.com/Secreto31126/whatsapp-api-js/issues/175 (parameters for a button without placeholders)
https://github.com/shridarpatil/frappe_whatsapp/issues/188 (an unknown sub_type)
"""

from typing import Any

from sandbox.graph.content import Content
from sandbox.graph.errors import GraphRefusal
from sandbox.message_templates.parameters import LOCALIZED, Given, GivenButton, Parameters, given, text_of
from sandbox.message_templates.shape import Template, find, places

# How error details name the buttons.
CALLED = {"QUICK_REPLY": "QuickReply", "URL": "Url", "COPY_CODE": "CopyCode", "FLOW": "Flow"}
CODE_LIMIT = 15


def check(content: Content) -> None:
    name, language = content["name"], content["language"]["code"]
    template = find(content)
    if template is None:
        raise GraphRefusal(132001, details=f"template name ({name}) does not exist in {language}")
    if template.strange:
        raise GraphRefusal(132018, details=f"The sandbox can't send templates with a {template.strange}.")
    filled = given(content)
    _check_header(template, filled)
    _check_texts("body", template.body, filled.body, template.named)
    _check_buttons(template.buttons, filled.buttons)


def _check_header(template: Template, filled: Given) -> None:
    kind = template.header_kind
    if not kind:
        _check_texts("header", template.header_text, filled.header, template.named)
        return
    received = filled.header[0]["type"] if filled.header else "unknown"
    if received != kind:
        raise _mismatch("header", kind, received)
    if len(filled.header) > 1:
        raise _wrong_number("header", len(filled.header), 1)


def _check_texts(part: str, text: str, parameters: Parameters, named: bool) -> None:
    wanted = places(text, named)
    for parameter in parameters:
        if parameter["type"] not in ("text", *LOCALIZED):
            raise _mismatch(part, "text", parameter["type"])
        if named and not parameter.get("parameter_name"):
            raise _invalid("Parameter name is missing or empty")
    if len(parameters) != len(wanted):
        raise _wrong_number(part, len(parameters), len(wanted))
    for parameter in parameters:
        _check_text(parameter)
    if named:
        names = [parameter["parameter_name"] for parameter in parameters]
        for name in wanted:
            if names.count(name) != 1:
                raise _invalid(f"{part}: Parameter name {name} is expected once, received {names.count(name)} times")


def _check_text(parameter: Content) -> None:
    kind, text = parameter["type"], text_of(parameter)
    if not text.strip():
        raise GraphRefusal(131008, details=f"Parameter of type {kind} is missing {kind} value")
    if any(c in text for c in "\n\r\t") or " " * 5 in text:
        why = "Param text cannot have new-line/tab characters or more than 4 consecutive spaces"
        raise GraphRefusal(132018, details=why)


def _check_buttons(buttons: list[dict[str, Any]], filled: dict[int, GivenButton]) -> None:
    for index, sent in filled.items():
        if index >= len(buttons):
            raise _bad_button(index, f"does not exist, the template has {len(buttons)}")
        _check_takes(buttons[index], index, sent)
    for index, button in enumerate(buttons):
        sent = filled.get(index, GivenButton(button["type"], []))
        if button["type"] == "URL" and _has_place(button) and not _is_text(sent.value("text")):
            raise _missing(index, "of type Url requires a parameter")
        if button["type"] == "COPY_CODE":
            _check_code(index, sent.value("coupon_code"))


def _check_takes(button: dict[str, Any], index: int, sent: GivenButton) -> None:
    kind = button["type"]
    if kind == "PHONE_NUMBER":
        raise _invalid(f"buttons: Button at index {index} is of type Call and does not support parameters")
    if kind != sent.sub_type:
        raise _bad_button(index, f"must be of type {CALLED[kind]}")
    if kind == "URL" and not _has_place(button):
        raise _bad_button(index, "of type Url does not require parameters")
    if len(sent.parameters) > 1:
        raise _bad_button(index, f"takes one parameter, received {len(sent.parameters)}")


def _check_code(index: int, code: Any) -> None:
    if not _is_text(code):
        raise _missing(index, "of type copy_code requires a non-empty parameter coupon_code")
    if len(code) > CODE_LIMIT:
        raise _bad_button(index, f"exceeds the parameter length limit {CODE_LIMIT}")


def _has_place(button: dict[str, Any]) -> bool:
    return bool(places(button["url"], named=False))


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _invalid(details: str) -> GraphRefusal:
    return GraphRefusal(100, "(#100) Invalid parameter", details)


def _missing(index: int, details: str) -> GraphRefusal:
    return GraphRefusal(131008, details=f"buttons: Button at index {index} {details}")


def _bad_button(index: int, details: str) -> GraphRefusal:
    return GraphRefusal(132018, details=f"buttons: Button at index {index} {details}")


def _mismatch(part: str, expected: str, received: str) -> GraphRefusal:
    return GraphRefusal(
        132012, details=f"{part}: Format mismatch, expected {expected.upper()}, received {received.upper()}"
    )


def _wrong_number(part: str, received: int, expected: int) -> GraphRefusal:
    return GraphRefusal(
        132000,
        "(#132000) Number of parameters does not match the expected number of params",
        f"{part}: number of localizable_params ({received}) does not match the expected number of params ({expected})",
    )
