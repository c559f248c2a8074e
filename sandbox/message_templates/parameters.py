"""The parameters of a template message, checked without knowing the template."""

from dataclasses import dataclass
from typing import Any

from sandbox.graph.content import CHECKS, Content, missing, wrong

TYPES = ("BODY", "BUTTON", "CAROUSEL", "HEADER", "LIMITED_TIME_OFFER")
SUB_TYPES = (
    "BOOKING_CONFIRMATION",
    "CATALOG",
    "COPY_CODE",
    "FLOW",
    "MPM",
    "ORDER_DETAILS",
    "QUICK_REPLY",
    "REMINDER",
    "URL",
    "VOICE_CALL",
)
# Texts that WhatsApp localizes. The sandbox uses the fallback.
LOCALIZED = ("currency", "date_time")
OBJECTS = ("image", "video", "document", "location")
Parameters = list[Content]


@dataclass(frozen=True)
class GivenButton:
    sub_type: str
    parameters: Parameters

    def value(self, key: str) -> Any:
        """The value of `key` in its parameter, or '' if it has none."""
        return self.parameters[0].get(key, "") if self.parameters else ""


@dataclass(frozen=True)
class Given:
    header: Parameters
    body: Parameters
    buttons: dict[int, GivenButton]


def given(content: Content) -> Given:
    """Raises GraphRefusal for parameters that no template accepts."""
    header: Parameters = []
    body: Parameters = []
    buttons: dict[int, GivenButton] = {}
    for number, component in enumerate(_objects(content.get("components"), "template['components']")):
        path = f"template['components'][{number}]"
        kind = _one_of(component, path, "type", TYPES)
        parameters = _objects(component.get("parameters"), f"{path}['parameters']")
        for place, parameter in enumerate(parameters):
            _check_parameter(parameter, f"{path}['parameters'][{place}]")
        if kind == "HEADER":
            header += parameters
        elif kind == "BODY":
            body += parameters
        elif kind == "BUTTON":
            sub_type = _one_of(component, path, "sub_type", SUB_TYPES)
            buttons[_index(component, path)] = GivenButton(sub_type, parameters)
    return Given(header, body, buttons)


def text_of(parameter: Content) -> str:
    """'' if it has none."""
    kind = parameter["type"]
    value = parameter[kind].get("fallback_value") if kind in LOCALIZED else parameter.get("text")
    return value if isinstance(value, str) else ""


def _objects(value: Any, name: str) -> list[Content]:
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise wrong(name, "must be an array of objects")
    return value


def _one_of(content: Content, path: str, key: str, allowed: tuple[str, ...]) -> str:
    value = content.get(key)
    if not value:
        raise missing(f"{path}['{key}']")
    if str(value).upper() not in allowed:
        raise wrong(f"{path}['{key}']", f'must be one of {{{", ".join(allowed)}}} - got "{value}"')
    return str(value).upper()


def _index(component: Content, path: str) -> int:
    """The index may be a number or a string of digits."""
    value = component.get("index")
    if value is None:
        raise missing(f"{path}['index']")
    if not str(value).isascii() or not str(value).isdigit():
        raise wrong(f"{path}['index']", "must be an integer")
    return int(str(value)[:9])


def _check_parameter(parameter: Content, path: str) -> None:
    kind = parameter.get("type")
    if not isinstance(kind, str) or not kind:
        raise missing(f"{path}['type']")
    if kind in (*LOCALIZED, *OBJECTS, "action"):
        if not isinstance(parameter.get(kind), dict):
            raise missing(f"{path}['{kind}']")
        if kind in OBJECTS:
            CHECKS[kind](parameter[kind])
