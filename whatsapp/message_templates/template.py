"""An approved template as Meta lists it: the places it leaves open, and the message with these filled.

https://developers.facebook.com/documentation/business-messaging/whatsapp/templates/components
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

from conversations.outbox import contents
from conversations.outbox.contents import ButtonParameter, FileLink, FileUpload, Location, Template
from runtime.untrusted_json import Json, as_dict, as_list, as_text

LOCATION = ("latitude", "longitude", "name", "address")
LONGEST_LINK = 2048
FILE_HEADERS = ("image", "video", "document")
READ = {"HEADER", "BODY", "FOOTER", "BUTTONS"}
# A button of ours that is not among these goes out as it was approved.
OPEN_BUTTONS = {"URL": "url", "OTP": "url", "COPY_CODE": "copy_code", "FLOW": "flow"}
FIXED_BUTTONS = {"QUICK_REPLY", "PHONE_NUMBER", "VOICE_CALL"}
_PLACE = re.compile(r"\{\{\s*(\w+)\s*\}\}")


@dataclass(frozen=True, slots=True)
class Placeholder:
    """One value that is to be given."""

    label: str
    most: int = contents.BODY
    is_file: bool = False  # its value is the public address of a file; a file of ours may stand in for it


@dataclass(frozen=True, slots=True)
class KnownButton:
    title: str
    kind: str = ""  # of OpenButton, when something has to be said about it
    address: str = ""

    @property
    def takes_value(self) -> bool:
        return self.kind in ("url", "copy_code")

    def words(self, value: str) -> str:
        shown = _PLACE.sub(lambda _: value, self.address) if self.address else value
        return " ".join(filter(None, ("[button]", self.title, shown)))


@dataclass(frozen=True, slots=True)
class MessageTemplate:
    """A template that is approved. `problem`: why it cannot be filled here, empty for one that can."""

    name: str
    language: str
    category: str
    header: str  # its text
    above: str  # of a header that is no text: image, video, document or location
    body: str
    has_names: bool  # its places have names; else numbers
    buttons: tuple[KnownButton, ...] = ()
    problem: str = ""

    @property
    def places(self) -> list[Placeholder]:
        """What is to be filled in: header, body, buttons."""
        if self.above == "location":
            above = [Placeholder(f"header {part}") for part in LOCATION]
        else:
            above = [Placeholder(f"header {self.above}", LONGEST_LINK, is_file=True)] if self.above else []
        header = (Placeholder(f"header {place}") for place in _places(self.header))
        return [*above, *header, *map(Placeholder, _places(self.body)), *map(_place_of, self._open_buttons())]

    @property
    def labels(self) -> list[str]:
        return [place.label for place in self.places]

    @property
    def takes_file(self) -> bool:
        return self.above in FILE_HEADERS

    def filled(self, values: Sequence[str], upload: FileUpload | None = None) -> Template:
        """For `outbox.send_message`. values: one for each of `places`; `upload` goes in place of a file's address.

        Raises ValueError, in words for a person, when a value is missing or not what the place takes.
        """
        if self.problem:
            raise ValueError(f"The template {self.name} cannot be filled here: {self.problem}.")
        self._check(values, upload)
        given = iter(values)
        above = self._above(given, upload)
        header = {place: next(given) for place in _places(self.header)}
        body = {place: next(given) for place in _places(self.body)}
        ends = [next(given) if button.takes_value else "" for button in self.buttons]
        said = [above.words if above else "", _put(self.header, header), _put(self.body, body)]
        buttons = [button.words(end) for button, end in zip(self.buttons, ends, strict=True)]
        return Template(
            self.name,
            self.language,
            parameters=tuple(body.values()),
            header=tuple(header.values()),
            text="\n".join(filter(None, [*said, *buttons])),
            names=tuple(body) if self.has_names else (),
            header_names=tuple(header) if self.has_names else (),
            above=above,
            open_buttons=tuple(
                ButtonParameter(index, button.kind, ends[index])
                for index, button in enumerate(self.buttons)
                if button.kind
            ),
        )

    def _check(self, values: Sequence[str], upload: FileUpload | None) -> None:
        if len(values) != len(self.places):
            raise ValueError(f"The template {self.name} takes {len(self.places)} values.")
        for place, value in zip(self.places, values, strict=True):
            if not value.strip() and not (place.is_file and upload):
                raise ValueError(f"The value for {place.label} is missing.")

    def _above(self, given: Iterator[str], upload: FileUpload | None) -> FileLink | FileUpload | Location | None:
        if self.above == "location":
            latitude, longitude, title, address = islice(given, len(LOCATION))
            return Location(_degrees("latitude", latitude), _degrees("longitude", longitude), title, address)
        if not self.above:
            return None
        link = next(given)
        return upload or FileLink(self.above, link, filename=_name_in(link) if self.above == "document" else "")

    def _open_buttons(self) -> list[KnownButton]:
        return [button for button in self.buttons if button.takes_value]


def read(piece: Json) -> MessageTemplate:
    """One entry of Meta's list."""
    parts = {
        as_text(part.get("type")).upper(): part for part in as_list(piece.get("components")) if isinstance(part, dict)
    }
    header, body = as_dict(parts.get("HEADER")), as_text(as_dict(parts.get("BODY")).get("text"))
    form = as_text(header.get("format")).upper() or "TEXT"
    text = as_text(header.get("text")) if form == "TEXT" else ""
    buttons = [as_dict(button) for button in as_list(as_dict(parts.get("BUTTONS")).get("buttons"))]
    return MessageTemplate(
        name=as_text(piece.get("name")),
        language=as_text(piece.get("language")),
        category=as_text(piece.get("category")),
        header=text,
        above="" if form == "TEXT" else form.lower(),
        body=body,
        has_names=not all(place.isdigit() for place in (*_places(text), *_places(body))),
        buttons=tuple(map(_button, buttons)),
        problem=_problem(parts.keys(), form, body, [as_text(button.get("type")).upper() for button in buttons]),
    )


def _problem(parts: Iterable[str], form: str, body: str, buttons: Sequence[str]) -> str:
    if others := sorted(set(parts) - READ):
        return f"it has a part of the kind {_said(others[0])}"
    if form not in ("TEXT", "LOCATION", *map(str.upper, FILE_HEADERS)):
        return f"its header is of the kind {_said(form)}"
    for kind in buttons:
        if kind not in OPEN_BUTTONS and kind not in FIXED_BUTTONS:
            return f"it has a button of the kind {_said(kind)}"
    return "" if body else "it has no text"


def _button(button: Json) -> KnownButton:
    address = as_text(button.get("url"))
    form = as_text(button.get("type")).upper()
    is_fixed = form == "URL" and not _PLACE.search(address)
    return KnownButton(as_text(button.get("text")), "" if is_fixed else OPEN_BUTTONS.get(form, ""), address)


def _place_of(button: KnownButton) -> Placeholder:
    if button.kind == "copy_code":
        return Placeholder(f"button {button.title}: the code", contents.COUPON)
    return Placeholder(f"button {button.title}: {button.address}".rstrip(": "), contents.URL_END)


def _places(text: str) -> list[str]:
    """Each once: the numbered ones by their numbers, as Meta counts the values; the named ones as they stand."""
    found = list(dict.fromkeys(_PLACE.findall(text)))
    return sorted(found, key=int) if all(place.isdigit() for place in found) else found


def _put(text: str, values: dict[str, str]) -> str:
    return _PLACE.sub(lambda place: values[place[1]], text)


def _degrees(what: str, value: str) -> float:
    try:
        return float(value)
    except ValueError:
        raise ValueError(f"The {what} is a number of degrees, not {value!r}.") from None


def _name_in(link: str) -> str:
    """What the customer sees of a document: the end of its address."""
    return unquote(PurePosixPath(urlsplit(link).path).name)


def _said(kind: str) -> str:
    return kind.lower().replace("_", " ") or "nameless"
