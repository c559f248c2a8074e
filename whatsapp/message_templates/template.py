"""An approved template as Meta lists it, its placeholders, and the message with them filled in.

https://developers.facebook.com/documentation/business-messaging/whatsapp/templates/components
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

from conversations.outbox import contents
from conversations.outbox.contents import ButtonParameter, FileLink, FileUpload, Location, Parameter, Template
from runtime.untrusted_json import Json, as_dict, as_list, as_text, one_line

LONGEST_TEXT = 4096  # of what Meta lists, in characters; its own limit is 1,024
LOCATION = ("latitude", "longitude", "name", "address")
MAX_URL = 2048
FILE_HEADERS = ("image", "video", "document")
SUPPORTED_COMPONENTS = {"HEADER", "BODY", "FOOTER", "BUTTONS"}
# Buttons that need a parameter when the template is sent, and the kind of the parameter.
DYNAMIC_BUTTONS = {"URL": "url", "OTP": "url", "COPY_CODE": "copy_code", "FLOW": "flow"}
FIXED_BUTTONS = {"QUICK_REPLY", "PHONE_NUMBER", "VOICE_CALL"}
_PLACEHOLDER = re.compile(r"\{\{\s*(\w+)\s*\}\}")


@dataclass(frozen=True, slots=True)
class Placeholder:
    """One value to fill in."""

    label: str
    max_length: int = contents.BODY
    is_file: bool = False  # the value is a file's public URL; an uploaded file can replace it


@dataclass(frozen=True, slots=True)
class TemplateButton:
    title: str
    kind: str = ""  # of its ButtonParameter; empty for a button that is sent as approved
    url: str = ""

    @property
    def needs_value(self) -> bool:
        return self.kind in ("url", "copy_code")

    def as_text(self, value: str) -> str:
        shown = _PLACEHOLDER.sub(lambda _: value, self.url) if self.url else value
        return " ".join(filter(None, ("[button]", self.title, shown)))


@dataclass(frozen=True, slots=True)
class MessageTemplate:
    """An approved template. `unsupported_reason` says why it can't be sent from Parley; empty if it can."""

    name: str
    language: str
    category: str
    header: str  # the text of a text header
    header_kind: str  # image, video, document or location; empty for a text header
    body: str
    has_names: bool  # its placeholders are named, not numbered
    buttons: tuple[TemplateButton, ...] = ()
    unsupported_reason: str = ""

    @property
    def placeholders(self) -> list[Placeholder]:
        """In order: header, body, buttons."""
        if self.header_kind == "location":
            media = [Placeholder(f"header {part}") for part in LOCATION]
        elif self.header_kind:
            media = [Placeholder(f"header {self.header_kind}", MAX_URL, is_file=True)]
        else:
            media = []
        header = (Placeholder(f"header {name}") for name in _names(self.header))
        buttons = (_placeholder_of(button) for button in self.buttons if button.needs_value)
        return [*media, *header, *map(Placeholder, _names(self.body)), *buttons]

    @property
    def labels(self) -> list[str]:
        return [placeholder.label for placeholder in self.placeholders]

    @property
    def accepts_file(self) -> bool:
        return self.header_kind in FILE_HEADERS

    def fill(self, values: Sequence[str], upload: FileUpload | None = None) -> Template:
        """The content for `outbox.send_message`, with one value per placeholder. `upload` replaces a file's URL.

        Raises ValueError with a message for the user when a value is missing or invalid.
        """
        if self.unsupported_reason:
            raise ValueError(f"The template {self.name} can't be sent from here: {self.unsupported_reason}.")
        self._check(values, upload)
        given = iter(values)
        media = self._media(given, upload)
        header = {name: next(given) for name in _names(self.header)}
        body = {name: next(given) for name in _names(self.body)}
        button_values = [next(given) if button.needs_value else "" for button in self.buttons]
        text = [
            media.as_text if media else "",
            _substitute(self.header, header),
            _substitute(self.body, body),
            *(button.as_text(value) for button, value in zip(self.buttons, button_values, strict=True)),
        ]
        return Template(
            self.name,
            self.language,
            body=self._parameters(body),
            header=self._parameters(header),
            header_media=media,
            button_parameters=tuple(
                ButtonParameter(index, button.kind, button_values[index])
                for index, button in enumerate(self.buttons)
                if button.kind
            ),
            text="\n".join(filter(None, text)),
        )

    def _check(self, values: Sequence[str], upload: FileUpload | None) -> None:
        if len(values) != len(self.placeholders):
            raise ValueError(f"The template {self.name} needs {len(self.placeholders)} values.")
        for placeholder, value in zip(self.placeholders, values, strict=True):
            if not value.strip() and not (placeholder.is_file and upload):
                raise ValueError(f"The value for {placeholder.label} is missing.")

    def _media(self, given: Iterator[str], upload: FileUpload | None) -> FileLink | FileUpload | Location | None:
        if self.header_kind == "location":
            latitude, longitude, title, address = islice(given, len(LOCATION))
            return Location(_degrees("latitude", latitude), _degrees("longitude", longitude), title, address)
        if not self.header_kind:
            return None
        link = next(given)
        filename = unquote(PurePosixPath(urlsplit(link).path).name) if self.header_kind == "document" else ""
        return upload or FileLink(self.header_kind, link, filename=filename)

    def _parameters(self, values: dict[str, str]) -> tuple[Parameter, ...]:
        return tuple(Parameter(value, name if self.has_names else "") for name, value in values.items())


def parse(item: Json) -> MessageTemplate:
    """One entry of Meta's list."""
    components = {
        as_text(part.get("type")).upper(): part for part in as_list(item.get("components")) if isinstance(part, dict)
    }
    header, body = as_dict(components.get("HEADER")), _text(as_dict(components.get("BODY")))
    header_format = as_text(header.get("format")).upper() or "TEXT"
    header_text = _text(header) if header_format == "TEXT" else ""
    buttons = [as_dict(button) for button in as_list(as_dict(components.get("BUTTONS")).get("buttons"))]
    button_types = [as_text(button.get("type")).upper() for button in buttons]
    return MessageTemplate(
        name=one_line(as_text(item.get("name")), LONGEST_TEXT),
        language=one_line(as_text(item.get("language")), 50),
        category=one_line(as_text(item.get("category")), 50),
        header=header_text,
        header_kind="" if header_format == "TEXT" else header_format.lower(),
        body=body,
        has_names=not all(map(_is_number, (*_names(header_text), *_names(body)))),
        buttons=tuple(map(_button, buttons)),
        unsupported_reason=_unsupported_reason(components.keys(), header_format, body, button_types),
    )


def _unsupported_reason(components: Iterable[str], header_format: str, body: str, button_types: Sequence[str]) -> str:
    if others := sorted(set(components) - SUPPORTED_COMPONENTS):
        return f"unsupported component: {_readable(others[0])}"
    if header_format not in ("TEXT", "LOCATION", *map(str.upper, FILE_HEADERS)):
        return f"unsupported header: {_readable(header_format)}"
    for kind in button_types:
        if kind not in DYNAMIC_BUTTONS and kind not in FIXED_BUTTONS:
            return f"unsupported button: {_readable(kind)}"
    return "" if body else "it has no text"


def _button(button: Json) -> TemplateButton:
    url = one_line(as_text(button.get("url")), MAX_URL)
    kind = as_text(button.get("type")).upper()
    is_fixed = kind == "URL" and not _PLACEHOLDER.search(url)
    title = one_line(as_text(button.get("text")), 100)
    return TemplateButton(title, "" if is_fixed else DYNAMIC_BUTTONS.get(kind, ""), url)


def _placeholder_of(button: TemplateButton) -> Placeholder:
    if button.kind == "copy_code":
        return Placeholder(f"button {button.title}: code", contents.COUPON)
    return Placeholder(f"button {button.title}: {button.url}".rstrip(": "), contents.URL_END)


def _names(text: str) -> list[str]:
    """Each placeholder once: numbered ones in order of number, as Meta counts the values; named ones in order of
    appearance."""
    found = list(dict.fromkeys(_PLACEHOLDER.findall(text)))
    return sorted(found, key=int) if all(map(_is_number, found)) else found


def _is_number(name: str) -> bool:
    return name.isdecimal() and len(name) < 10


def _text(component: Json) -> str:
    return as_text(component.get("text"))[:LONGEST_TEXT]


def _substitute(text: str, values: dict[str, str]) -> str:
    return _PLACEHOLDER.sub(lambda match: values[match[1]], text)


def _degrees(what: str, value: str) -> float:
    try:
        return float(value)
    except ValueError:
        raise ValueError(f"The {what} must be a number, not {value!r}.") from None


def _readable(kind: str) -> str:
    return one_line(kind.lower().replace("_", " "), 50) or "unnamed"
