"""Contents respect Meta's limits, and their request bodies are valid."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from conversations.outbox.contents import (
    Button,
    Buttons,
    Content,
    FileLink,
    ListMessage,
    LocationRequest,
    Parameter,
    Row,
    Template,
    from_json,
    to_json,
)
from sandbox.graph.content import CHECKS
from sandbox.message_templates import checks
from sandbox.message_templates.approved import TEMPLATES
from whatsapp.graph.payloads import body
from whatsapp.message_templates import template as known_templates

LINK = "https://files.example/menu.pdf"
ROWS = tuple(Row(f"{n}" * 20, f"{n}" * 24, "d" * 72) for n in range(10))
# Each at its size limit.
CONTENTS: list[Content] = [
    FileLink("image", LINK, "c" * 1024),
    FileLink("video", LINK),
    FileLink("audio", LINK),
    FileLink("document", LINK, "Our menu", "menu.pdf"),
    Buttons("t" * 1024, tuple(Button(f"{n}" * 256, f"{n}" * 20) for n in range(3))),
    ListMessage("t" * 4096, "b" * 20, ROWS),
    LocationRequest("Where are you?"),
    Template("hello_world", "en_US"),
    Template("order_update", "en", (Parameter("Ada"), Parameter("17", "order"))),
]
WRONG: list[tuple[str, Callable[[], object]]] = [
    ("must be one of image", lambda: FileLink("sticker", LINK)),
    ("https://", lambda: FileLink("image", "file:///etc/passwd")),
    ("allows 1024", lambda: FileLink("image", LINK, "c" * 1025)),
    ("captions on audio", lambda: FileLink("audio", LINK, "c")),
    ("Only documents", lambda: FileLink("image", LINK, "", "a.png")),
    ("0 buttons", lambda: Buttons("t", ())),
    ("4 buttons", lambda: Buttons("t", tuple(Button(f"{n}", f"{n}") for n in range(4)))),
    ("button ids are the same", lambda: Buttons("t", (Button("a", "x"), Button("a", "y")))),
    ("button titles are the same", lambda: Buttons("t", (Button("a", "x"), Button("b", "x")))),
    ("allows 20", lambda: Button("a", "t" * 21)),
    ("allows 1024", lambda: Buttons("t" * 1025, (Button("a", "x"),))),
    ("11 rows", lambda: ListMessage("t", "b", (*ROWS, Row("eleven", "t")))),
    ("row ids are the same", lambda: ListMessage("t", "b", (Row("a", "x"), Row("a", "y")))),
    ("allows 72", lambda: Row("a", "t", "d" * 73)),
    ("is missing", lambda: LocationRequest(" ")),
    ("is missing", lambda: Parameter("")),
    ("Invalid content", lambda: from_json({"type": "hologram"})),
    ("Invalid content", lambda: from_json({"type": "template", "colour": "red"})),
]


@pytest.mark.parametrize("content", CONTENTS, ids=lambda content: str(content.type))
def test_bodies_pass_the_checks_of_the_graph_api(content: Content) -> None:
    sent = body(content)
    CHECKS[sent["type"]](sent[sent["type"]])


@pytest.mark.parametrize("listed", TEMPLATES, ids=lambda listed: str(listed["name"]))
def test_filled_templates_pass_the_checks_of_the_graph_api(listed: dict[str, Any]) -> None:
    template = known_templates.parse(listed)
    if listed["name"] == "new_in_the_shop":
        assert template.unsupported_reason == "unsupported component: carousel"
        return
    values = {"header latitude": "53.3", "header longitude": "-6.2"}
    files = {one.label: LINK for one in template.placeholders if one.is_file}
    given = [files.get(label) or values.get(label, f"value {number}") for number, label in enumerate(template.labels)]
    checks.check(body(template.fill(given))["template"])


@pytest.mark.parametrize("content", CONTENTS, ids=lambda content: str(content.type))
def test_contents_survive_the_round_trip_through_json(content: Content) -> None:
    assert from_json(json.loads(json.dumps(to_json(content)))) == content


@pytest.mark.parametrize(("reason", "make"), WRONG)
def test_exceeding_a_limit_raises_the_reason(reason: str, make: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match=reason):
        make()
