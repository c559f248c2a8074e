"""An approved template: its components and its placeholders."""

import re
from dataclasses import dataclass
from typing import Any

from sandbox.message_templates.approved import TEMPLATES

PLACE = re.compile(r"\{\{(\w+)\}\}")
# The components that the sandbox can check and show.
FILLABLE = ("HEADER", "BODY", "FOOTER", "BUTTONS")


@dataclass(frozen=True)
class Template:
    listed: dict[str, Any]

    @property
    def named(self) -> bool:
        """Whether its placeholders have names instead of numbers."""
        return bool(self.listed["parameter_format"] == "NAMED")

    def part(self, kind: str) -> dict[str, Any]:
        """The component of this type, or {} if there is none."""
        return next((part for part in self.listed["components"] if part["type"] == kind), {})

    @property
    def header_kind(self) -> str:
        """`image`, `video`, `document` or `location`. '' for a text header and without a header."""
        format_name = str(self.part("HEADER").get("format", "TEXT"))
        return "" if format_name == "TEXT" else format_name.lower()

    @property
    def header_text(self) -> str:
        return str(self.part("HEADER").get("text", ""))

    @property
    def body(self) -> str:
        return str(self.part("BODY").get("text", ""))

    @property
    def buttons(self) -> list[dict[str, Any]]:
        return list(self.part("BUTTONS").get("buttons", []))

    @property
    def strange(self) -> str:
        """The first component that the sandbox can list but not send, or ''."""
        return next((part["type"] for part in self.listed["components"] if part["type"] not in FILLABLE), "")


def find(content: dict[str, Any]) -> Template | None:
    """The template of a message."""
    wanted = (content.get("name"), (content.get("language") or {}).get("code"))
    return next((Template(listed) for listed in TEMPLATES if (listed["name"], listed["language"]) == wanted), None)


def places(text: str, named: bool) -> list[str]:
    """The placeholders without duplicates. Numbers are sorted; names keep the order of the text."""
    found = list(dict.fromkeys(PLACE.findall(text)))
    return found if named else sorted(found, key=int)


def fill(text: str, values: dict[str, str]) -> str:
    """A placeholder without a value stays as it is."""
    return PLACE.sub(lambda place: values.get(place[1], place[0]), text)
