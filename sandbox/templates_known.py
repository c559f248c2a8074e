"""The approved templates of every business in the sandbox."""

import re
from dataclasses import dataclass
from typing import Any

from sandbox.graph_errors import GraphRefusal

PLACE = re.compile(r"\{\{(\w+)\}\}")


@dataclass(frozen=True)
class Template:
    id: str
    name: str
    language: str
    category: str
    body: str
    header: str = ""
    footer: str = ""
    quick_replies: tuple[str, ...] = ()

    @property
    def places(self) -> list[str]:
        return PLACE.findall(self.body)

    def as_json(self) -> dict[str, Any]:
        """As GET /<waba_id>/message_templates lists it."""
        body: dict[str, Any] = {"type": "BODY", "text": self.body}
        if self.places:
            body["example"] = {"body_text": [[f"example {name}" for name in self.places]]}
        components = [body]
        if self.header:
            components.insert(0, {"type": "HEADER", "format": "TEXT", "text": self.header})
        if self.footer:
            components.append({"type": "FOOTER", "text": self.footer})
        if self.quick_replies:
            buttons = [{"type": "QUICK_REPLY", "text": text} for text in self.quick_replies]
            components.append({"type": "BUTTONS", "buttons": buttons})
        return {
            "id": self.id,
            "name": self.name,
            "language": self.language,
            "status": "APPROVED",
            "category": self.category,
            "parameter_format": "POSITIONAL",
            "components": components,
        }

    def filled(self, parameters: list[str]) -> str:
        """The body with its places filled, in the order they stand."""
        values = iter(parameters)
        return PLACE.sub(lambda _: next(values), self.body)


TEMPLATES = (
    Template(
        "1000000000000001",
        "hello_world",
        "en_US",
        "UTILITY",
        "Welcome and congratulations!! This message demonstrates your ability to send a message notification.",
        header="Hello World",
        footer="WhatsApp Business Platform sample message",
    ),
    Template(
        "1000000000000002",
        "order_update",
        "en",
        "UTILITY",
        "Hello {{1}}, your order {{2}} is ready to be picked up.",
        quick_replies=("On my way", "Keep it for me"),
    ),
    Template(
        "1000000000000003",
        "talk_again",
        "en",
        "UTILITY",
        "Hello {{1}}, we have an answer to your question. Shall we go on?",
        quick_replies=("Yes, please",),
    ),
)


def known(content: dict[str, Any]) -> Template:
    """The template a message names; raises GraphRefusal 132001 or 132000 as Meta does."""
    name, language = content["name"], content["language"]["code"]
    found = next((t for t in TEMPLATES if (t.name, t.language) == (name, language)), None)
    if found is None:
        raise GraphRefusal(132001, details=f"template name ({name}) does not exist in {language}")
    given = len(parameters_of(content))
    if given != len(found.places):
        raise GraphRefusal(
            132000,
            details=f"body: number of localizable_params ({given}) does not match the expected number of params "
            f"({len(found.places)})",
        )
    return found


def parameters_of(content: dict[str, Any]) -> list[str]:
    """The texts for the places of the body."""
    components = content.get("components") or []
    bodies = [c for c in components if isinstance(c, dict) and str(c.get("type", "")).lower() == "body"]
    return [str(p.get("text", "")) for c in bodies for p in c.get("parameters") or [] if isinstance(p, dict)]
