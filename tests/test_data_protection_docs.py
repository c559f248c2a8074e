"""What the documentation says about data protection is so: its tables and tests exist, and none is missing."""

import re
from pathlib import Path

import pytest
from django.apps import apps

DOCS = Path(__file__).resolve().parent.parent / "docs"
PROJECT = DOCS.parent
ROW = re.compile(r"^\| ([\d.]+(?:–[\d.]+)?) \| [^|]+ \| (met|open|not applicable) \| ([^|]+) \|$", re.M)
NAMED_TEST = re.compile(r"`([\w/]+\.py)::(test_\w+)`")


def test_every_table_is_in_the_documentation() -> None:
    text = (DOCS / "data-protection.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(\w+)`", text))
    ours = {model._meta.db_table for model in apps.get_models(include_auto_created=True)}
    missing = {name for name in ours - named if not name.startswith("sandbox_")}
    assert missing == set(), "Say in docs/data-protection.md what is in them, why, for how long, and who sees it"


def requirements() -> list[tuple[str, str, str]]:
    found = ROW.findall((DOCS / "asvs.md").read_text(encoding="utf-8"))
    assert len(found) > 150
    return found


def test_each_requirement_of_the_asvs_is_assessed_once() -> None:
    numbers = [number for number, _, _ in requirements()]
    assert len(numbers) == len(set(numbers))
    assert {number.split(".")[0] for number in numbers} >= {str(chapter) for chapter in range(1, 9)}


@pytest.mark.parametrize("status", ["met", "open", "not applicable"])
def test_what_is_met_names_its_test_and_anything_else_a_reason(status: str) -> None:
    for number, stated, text in requirements():
        if stated == status:
            named = NAMED_TEST.findall(text)
            assert bool(named) == (status == "met"), number
            for path, name in named:
                assert f"def {name}(" in (PROJECT / path).read_text(encoding="utf-8"), f"{number}: {path}::{name}"
