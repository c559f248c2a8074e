"""What the docs tell people to type or open exists."""

import re
from pathlib import Path

import pytest
from django.core.management import get_commands
from django.urls import Resolver404, resolve

PROJECT = Path(__file__).resolve().parent.parent
DOCUMENTS = sorted(
    str(file.relative_to(PROJECT)) for pattern in ("*.md", "docs/**/*.md") for file in PROJECT.glob(pattern)
)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_each_make_target_exists(document: str) -> None:
    targets = set(re.findall(r"^([a-z]+):", (PROJECT / "Makefile").read_text(encoding="utf-8"), re.M))
    named = set(re.findall(r"^ +make ([a-z]+)|`(?:[A-Z_]+=\S+ )?make ([a-z]+)", text_of(document), re.M))
    assert {one or other for one, other in named} <= targets


@pytest.mark.parametrize("document", DOCUMENTS)
def test_each_management_command_exists(document: str) -> None:
    assert set(re.findall(r"manage\.py ([a-z_]+)", text_of(document))) <= set(get_commands())


def test_each_url_exists() -> None:
    addresses = set(
        re.findall(r"`(?:http://localhost:8000|https://your\.host)?(/[a-z][\w/.-]*)`", text_of("README.md"))
    )
    assert addresses
    missing = []
    for address in sorted(addresses):
        try:
            resolve(address.replace("ID", "1"))
        except Resolver404:
            missing.append(address)
    # In tests the sandbox may be off; it has tests of its own.
    assert [address for address in missing if not address.startswith("/sandbox/")] == []


@pytest.mark.parametrize("document", DOCUMENTS)
def test_each_file_it_links_to_exists(document: str) -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", text_of(document))
    assert [link for link in links if not (PROJECT / document).parent.joinpath(link).exists()] == []


def test_each_decision_is_in_the_index_and_says_what_was_rejected() -> None:
    index = text_of("docs/adr/README.md")
    for file in (PROJECT / "docs" / "adr").glob("[0-9]*.md"):
        assert f"]({file.name})" in index
        headings = re.findall(r"^## (.+)", file.read_text(encoding="utf-8"), re.M)
        assert headings == ["Context", "Decision", "Rejected", "Consequences"], file.name


def text_of(document: str) -> str:
    return (PROJECT / document).read_text(encoding="utf-8")
