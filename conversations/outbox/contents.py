"""Everything that can be sent besides text, as frozen values that always respect Meta's limits.

`message_kind` becomes the row's kind, `as_text` what the team and the model read. Breaking a limit raises ValueError.
https://developers.facebook.com/documentation/business-messaging/whatsapp/messages/send-messages
"""

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, get_args

from conversations.files.sendable import check_link

FILE_KINDS = ("image", "video", "audio", "document")
MAX_BUTTONS, MAX_ROWS = 3, 10
CAPTION, BODY, LIST_BODY, BUTTON, TITLE, DESCRIPTION = 1024, 1024, 4096, 20, 24, 72
BUTTON_ID, ROW_ID, TEMPLATE_NAME, LANGUAGE, WAMID, URL_END, COUPON = 256, 200, 512, 15, 255, 2000, 15
_NOT_IN_PARAMETERS = re.compile(r"[\r\n\t]| {5}")  # Meta rejects these in template parameters


def _check_length(what: str, value: str, limit: int) -> None:
    if not value.strip():
        raise ValueError(f"{what} is missing.")
    if len(value) > limit:
        raise ValueError(f"{what} has {len(value)} characters; WhatsApp allows {limit}.")


def _check_count(what: str, values: Sequence[object], maximum: int) -> None:
    if not 1 <= len(values) <= maximum:
        raise ValueError(f"{len(values)} {what}; WhatsApp allows 1 to {maximum}.")


def _check_unique(what: str, values: Sequence[str]) -> None:
    if len(set(values)) != len(values):
        raise ValueError(f"Two {what} are the same.")


def _check_file(kind: str, caption: str) -> None:
    if kind not in FILE_KINDS:
        raise ValueError(f"The kind of a file must be one of {', '.join(FILE_KINDS)}, not {kind!r}.")
    if caption:
        _check_length("The caption", caption, CAPTION)
    if caption and kind == "audio":
        raise ValueError("WhatsApp doesn't show captions on audio files.")


@dataclass(frozen=True, slots=True)
class FileLink:
    """A file that Meta downloads from a public URL."""

    type: ClassVar = "file"
    kind: str  # one of FILE_KINDS
    link: str
    caption: str = ""
    filename: str = ""  # documents only: shown to the customer

    def __post_init__(self) -> None:
        if not self.link.startswith("https://"):
            raise ValueError("The file URL must start with https://.")
        _check_file(self.kind, self.caption)
        check_link(self.link)
        if self.filename and self.kind != "document":
            raise ValueError("Only documents can have a file name.")

    @property
    def message_kind(self) -> str:
        return self.kind

    @property
    def as_text(self) -> str:
        return _labelled(self.kind, self.filename, self.caption, self.link)


@dataclass(frozen=True, slots=True)
class FileUpload:
    """A file in our storage, created by `uploads.keep`; its bytes are uploaded to Meta."""

    type: ClassVar = "upload"
    kind: str  # one of FILE_KINDS
    storage_name: str
    mime_type: str
    size: int
    sha256: str
    caption: str = ""
    filename: str = ""

    def __post_init__(self) -> None:
        _check_file(self.kind, self.caption)

    @property
    def message_kind(self) -> str:
        return self.kind

    @property
    def as_text(self) -> str:
        return _labelled(self.kind, self.filename if self.kind == "document" else "", self.caption)


@dataclass(frozen=True, slots=True)
class PreviewedText:
    """A text with a preview of its first link."""

    type: ClassVar = "previewed_text"
    message_kind: ClassVar = "text"
    as_text: str


@dataclass(frozen=True, slots=True)
class Button:
    id: str
    title: str

    def __post_init__(self) -> None:
        _check_length("A button's id", self.id, BUTTON_ID)
        _check_length("A button's title", self.title, BUTTON)


@dataclass(frozen=True, slots=True)
class Buttons:
    """A text with up to three reply buttons."""

    type: ClassVar = "buttons"
    message_kind: ClassVar = "interactive"
    text: str
    buttons: tuple[Button, ...]

    def __post_init__(self) -> None:
        _check_length("The text", self.text, BODY)
        _check_count("buttons", self.buttons, MAX_BUTTONS)
        _check_unique("button ids", [button.id for button in self.buttons])
        _check_unique("button titles", [button.title for button in self.buttons])

    @property
    def as_text(self) -> str:
        return "\n".join([self.text, *(f"[button] {button.title}" for button in self.buttons)])


@dataclass(frozen=True, slots=True)
class Row:
    id: str
    title: str
    description: str = ""

    def __post_init__(self) -> None:
        _check_length("A row's id", self.id, ROW_ID)
        _check_length("A row's title", self.title, TITLE)
        if self.description:
            _check_length("A row's description", self.description, DESCRIPTION)


@dataclass(frozen=True, slots=True)
class ListMessage:
    """A text with a button that opens a list of up to ten rows."""

    type: ClassVar = "list"
    message_kind: ClassVar = "interactive"
    text: str
    button: str
    rows: tuple[Row, ...]

    def __post_init__(self) -> None:
        _check_length("The text", self.text, LIST_BODY)
        _check_length("The button", self.button, BUTTON)
        _check_count("rows", self.rows, MAX_ROWS)
        _check_unique("row ids", [row.id for row in self.rows])

    @property
    def as_text(self) -> str:
        rows = (" ".join(filter(None, (f"- {row.title}", row.description))) for row in self.rows)
        return "\n".join([self.text, f"[list] {self.button}", *rows])


@dataclass(frozen=True, slots=True)
class LocationRequest:
    """A text with a button that lets the customer share their location."""

    type: ClassVar = "location_request"
    message_kind: ClassVar = "interactive"
    text: str

    def __post_init__(self) -> None:
        _check_length("The text", self.text, BODY)

    @property
    def as_text(self) -> str:
        return f"{self.text}\n[button] Send location"


@dataclass(frozen=True, slots=True)
class Location:
    """A point on the map, in degrees."""

    latitude: float
    longitude: float
    title: str = ""
    address: str = ""

    def __post_init__(self) -> None:
        for what, degrees, limit in (("latitude", self.latitude, 90), ("longitude", self.longitude, 180)):
            if not -limit <= degrees <= limit:
                raise ValueError(f"The {what} must be between -{limit} and {limit}.")

    @property
    def as_text(self) -> str:
        return _labelled("location", self.title, self.address, f"{self.latitude}, {self.longitude}")


@dataclass(frozen=True, slots=True)
class Parameter:
    """The value of one placeholder in a template's header or body."""

    value: str
    name: str = ""  # empty: the placeholder is numbered

    def __post_init__(self) -> None:
        _check_length("A template parameter", self.value, BODY)
        if _NOT_IN_PARAMETERS.search(self.value):
            raise ValueError("Template parameters can't contain line breaks, tabs, or more than four spaces in a row.")


@dataclass(frozen=True, slots=True)
class ButtonParameter:
    """The value for a template's button: the end of its URL, or the code that it copies."""

    index: int  # among all the template's buttons, from 0
    kind: str  # url, copy_code or flow
    value: str = ""  # a flow has none, but still has to be listed

    def __post_init__(self) -> None:
        if self.kind != "flow":
            _check_length("The value of a button", self.value, COUPON if self.kind == "copy_code" else URL_END)


@dataclass(frozen=True, slots=True)
class Template:
    """An approved template: the only content that can be sent after the 24-hour window has closed."""

    type: ClassVar = "template"
    message_kind: ClassVar = "template"
    name: str
    language: str
    body: tuple[Parameter, ...] = ()
    header: tuple[Parameter, ...] = ()  # of a text header
    header_media: FileLink | FileUpload | Location | None = None
    button_parameters: tuple[ButtonParameter, ...] = ()
    text: str = ""  # the filled template, for our own history: Meta renders the message

    def __post_init__(self) -> None:
        _check_length("The template's name", self.name, TEMPLATE_NAME)
        _check_length("The template's language", self.language, LANGUAGE)

    @property
    def as_text(self) -> str:
        return self.text or _labelled("template", self.name, ", ".join(parameter.value for parameter in self.body))


def _labelled(label: str, *parts: str) -> str:
    return " ".join([f"[{label}]", *filter(None, parts)])


Content = FileLink | FileUpload | PreviewedText | Buttons | ListMessage | LocationRequest | Template
_BY_TYPE: dict[str, type[Content]] = {content.type: content for content in get_args(Content)}
_PARTS: dict[str, type[Button] | type[Row] | type[Parameter] | type[ButtonParameter]] = {
    "buttons": Button,
    "rows": Row,
    "body": Parameter,
    "header": Parameter,
    "button_parameters": ButtonParameter,
}


def upload_in(content: Content | None) -> FileUpload | None:
    """The uploaded file that the content contains, if any."""
    file = content.header_media if isinstance(content, Template) else content
    return file if isinstance(file, FileUpload) else None


def to_json(content: Content) -> dict[str, Any]:
    """The content for a JSON column; `from_json` reads it back."""
    return {"type": content.type, **asdict(content)}


def from_json(stored: dict[str, Any]) -> Content:
    """Raises ValueError for anything `to_json` doesn't produce."""
    try:
        fields = {name: _read(name, value) for name, value in stored.items() if name != "type"}
        return _BY_TYPE[stored["type"]](**fields)
    except (KeyError, TypeError) as error:
        raise ValueError(f"Invalid content: {error}") from error


def _read(name: str, value: Any) -> Any:
    if name in _PARTS:
        return tuple(_PARTS[name](**part) for part in value)
    if name == "header_media" and value:
        return (FileLink if "link" in value else FileUpload if "storage_name" in value else Location)(**value)
    return value
