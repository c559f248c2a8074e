"""What can be sent besides text, as frozen values that cannot exist outside of Meta's limits: `outbox.send_message`.

`message_kind` is the kind of the message's row, `words` how a person and the model read it in the history. A limit
that is broken raises ValueError, in words for the person who wrote it.
https://developers.facebook.com/documentation/business-messaging/whatsapp/messages/send-messages
"""

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, get_args

FILE_KINDS = ("image", "video", "audio", "document")
MOST_BUTTONS, MOST_ROWS = 3, 10
CAPTION, BODY, LIST_BODY, BUTTON, TITLE, DESCRIPTION = 1024, 1024, 4096, 20, 24, 72
BUTTON_ID, ROW_ID, TEMPLATE_NAME, LANGUAGE, WAMID = 256, 200, 512, 15, 255
URL_END, COUPON = 2000, 15
_BROKEN = re.compile(r"[\r\n\t]| {5}")  # Meta refuses these in what fills a template


def _fits(what: str, value: str, limit: int) -> None:
    if not value.strip():
        raise ValueError(f"{what} is missing.")
    if len(value) > limit:
        raise ValueError(f"{what} has {len(value)} characters; WhatsApp takes {limit}.")


def _counted(what: str, values: Sequence[object], most: int) -> None:
    if not 1 <= len(values) <= most:
        raise ValueError(f"{len(values)} {what}; WhatsApp takes 1 to {most}.")


def _differ(what: str, values: Sequence[str]) -> None:
    if len(set(values)) != len(values):
        raise ValueError(f"Two {what} are the same.")


def _is_file(kind: str, caption: str) -> None:
    if kind not in FILE_KINDS:
        raise ValueError(f"A file is one of {', '.join(FILE_KINDS)}, not {kind!r}.")
    if caption:
        _fits("The caption", caption, CAPTION)
    if caption and kind == "audio":
        raise ValueError("WhatsApp shows no caption with audio.")


@dataclass(frozen=True, slots=True)
class FileLink:
    """A file that Meta fetches itself from a public address."""

    name: ClassVar = "file"
    kind: str  # of FILE_KINDS
    link: str
    caption: str = ""
    filename: str = ""  # of a document: what the customer sees

    def __post_init__(self) -> None:
        if not self.link.startswith("https://"):
            raise ValueError("The address of a file begins with https://.")
        _is_file(self.kind, self.caption)
        if self.filename and self.kind != "document":
            raise ValueError("Only a document has a file name.")

    @property
    def message_kind(self) -> str:
        return self.kind

    @property
    def words(self) -> str:
        return _labelled(self.kind, self.filename, self.caption, self.link)


@dataclass(frozen=True, slots=True)
class FileUpload:
    """A file of ours, kept in the storage by `uploads.keep`, which makes these; Meta gets the bytes."""

    name: ClassVar = "upload"
    kind: str  # of FILE_KINDS
    stored: str  # its name in the storage
    mime_type: str
    size: int
    sha256: str
    caption: str = ""
    filename: str = ""

    def __post_init__(self) -> None:
        _is_file(self.kind, self.caption)

    @property
    def message_kind(self) -> str:
        return self.kind

    @property
    def words(self) -> str:
        return _labelled(self.kind, self.filename if self.kind == "document" else "", self.caption)


@dataclass(frozen=True, slots=True)
class Button:
    id: str
    title: str

    def __post_init__(self) -> None:
        _fits("A button's id", self.id, BUTTON_ID)
        _fits("A button's title", self.title, BUTTON)


@dataclass(frozen=True, slots=True)
class Buttons:
    """A text with up to three buttons to answer with."""

    name: ClassVar = "buttons"
    text: str
    buttons: tuple[Button, ...]

    def __post_init__(self) -> None:
        _fits("The text", self.text, BODY)
        _counted("buttons", self.buttons, MOST_BUTTONS)
        _differ("button ids", [button.id for button in self.buttons])
        _differ("button titles", [button.title for button in self.buttons])

    @property
    def message_kind(self) -> str:
        return "interactive"

    @property
    def words(self) -> str:
        return "\n".join([self.text, *(f"[button] {button.title}" for button in self.buttons)])


@dataclass(frozen=True, slots=True)
class Row:
    id: str
    title: str
    description: str = ""

    def __post_init__(self) -> None:
        _fits("A row's id", self.id, ROW_ID)
        _fits("A row's title", self.title, TITLE)
        if self.description:
            _fits("A row's description", self.description, DESCRIPTION)


@dataclass(frozen=True, slots=True)
class ListMessage:
    """A text with a list of up to ten rows, opened by one button."""

    name: ClassVar = "list"
    text: str
    button: str
    rows: tuple[Row, ...]

    def __post_init__(self) -> None:
        _fits("The text", self.text, LIST_BODY)
        _fits("The button", self.button, BUTTON)
        _counted("rows", self.rows, MOST_ROWS)
        _differ("row ids", [row.id for row in self.rows])

    @property
    def message_kind(self) -> str:
        return "interactive"

    @property
    def words(self) -> str:
        rows = (" ".join(filter(None, (f"- {row.title}", row.description))) for row in self.rows)
        return "\n".join([self.text, f"[list] {self.button}", *rows])


@dataclass(frozen=True, slots=True)
class LocationRequest:
    """A text with a button that sends the customer's place."""

    name: ClassVar = "location_request"
    text: str

    def __post_init__(self) -> None:
        _fits("The text", self.text, BODY)

    @property
    def message_kind(self) -> str:
        return "interactive"

    @property
    def words(self) -> str:
        return f"{self.text}\n[button] Send location"


@dataclass(frozen=True, slots=True)
class Location:
    """A point on the map, in degrees."""

    latitude: float
    longitude: float
    title: str = ""
    address: str = ""

    def __post_init__(self) -> None:
        for what, degrees, most in (("latitude", self.latitude, 90), ("longitude", self.longitude, 180)):
            if not -most <= degrees <= most:
                raise ValueError(f"The {what} is a number from -{most} to {most}.")

    @property
    def words(self) -> str:
        return _labelled("location", self.title, self.address, f"{self.latitude}, {self.longitude}")


@dataclass(frozen=True, slots=True)
class ButtonParameter:
    """What one button of a template takes from us: the end of its address, or the code that it copies."""

    index: int  # among all its buttons, from 0
    kind: str  # url, copy_code or flow
    value: str = ""  # a flow takes none, and is named all the same

    def __post_init__(self) -> None:
        if self.kind != "flow":
            _fits("The value of a button", self.value, COUPON if self.kind == "copy_code" else URL_END)


@dataclass(frozen=True, slots=True)
class Template:
    """An approved template: the one content that may go out when the window is closed."""

    name: ClassVar = "template"
    template: str
    language: str
    parameters: tuple[str, ...] = ()  # of its body, in their order
    header: tuple[str, ...] = ()  # of its header, when that is a text
    text: str = ""  # how it reads with them: for our own history, Meta makes it itself
    names: tuple[str, ...] = ()  # of the places in its body, when they have names; else they are numbered
    header_names: tuple[str, ...] = ()
    above: FileLink | FileUpload | Location | None = None  # its header, when that is no text
    open_buttons: tuple[ButtonParameter, ...] = ()

    def __post_init__(self) -> None:
        _fits("The template's name", self.template, TEMPLATE_NAME)
        _fits("The template's language", self.language, LANGUAGE)
        for parameter in (*self.parameters, *self.header):
            _fits("A parameter of the template", parameter, BODY)
            if _BROKEN.search(parameter):
                raise ValueError("A parameter of a template has no line break, no tab and no five spaces in a row.")
        for values, names in ((self.parameters, self.names), (self.header, self.header_names)):
            if names and len(names) != len(values):
                raise ValueError(f"{len(values)} values for the {len(names)} names of the template's places.")

    @property
    def message_kind(self) -> str:
        return "template"

    @property
    def words(self) -> str:
        return self.text or _labelled("template", self.template, ", ".join(self.parameters))


def _labelled(label: str, *parts: str) -> str:
    return " ".join([f"[{label}]", *filter(None, parts)])


Content = FileLink | FileUpload | Buttons | ListMessage | LocationRequest | Template
_BY_NAME: dict[str, type[Content]] = {content.name: content for content in get_args(Content)}
_PARTS: dict[str, type[Button] | type[Row] | type[ButtonParameter]] = {
    "buttons": Button,
    "rows": Row,
    "open_buttons": ButtonParameter,
}


def upload_in(content: Content | None) -> FileUpload | None:
    """The file of ours that goes out with it, if one does."""
    file = content.above if isinstance(content, Template) else content
    return file if isinstance(file, FileUpload) else None


def to_json(content: Content) -> dict[str, Any]:
    """As a JSON column keeps it; `from_json` reads it again."""
    return {"content": content.name, **asdict(content)}


def from_json(stored: dict[str, Any]) -> Content:
    """Raises ValueError for what `to_json` never wrote."""
    fields = {name: _read(name, value) for name, value in stored.items() if name != "content"}
    try:
        return _BY_NAME[stored["content"]](**fields)
    except (KeyError, TypeError) as error:
        raise ValueError(f"This is no content: {error}") from error


def _read(name: str, value: Any) -> Any:
    if name in _PARTS:
        return tuple(_PARTS[name](**part) for part in value)
    if name == "above" and value:
        kind = FileLink if "link" in value else FileUpload if "stored" in value else Location
        return kind(**value)
    return tuple(value) if isinstance(value, list) else value
