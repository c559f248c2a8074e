"""What the docs tell people to type or open exists."""

import json
import os
import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

import httpx2
import pytest
from django.core.management import get_commands
from django.test import Client
from django.urls import Resolver404, resolve

from conversations.models import ConversationMessage

PROJECT = Path(__file__).resolve().parent.parent
DOCUMENTS = sorted(
    str(file.relative_to(PROJECT)) for pattern in ("*.md", "docs/**/*.md") for file in PROJECT.glob(pattern)
)
# What a document calls by its name only in the past, or in an example.
PAST_OR_EXAMPLES = {"CHANGELOG.md"}


@pytest.mark.parametrize("document", DOCUMENTS)
def test_each_make_target_exists(document: str) -> None:
    targets = set(re.findall(r"^([a-z]+):", (PROJECT / "Makefile").read_text(encoding="utf-8"), re.M))
    commands = "\n".join(re.findall(r"^ *```sh\n(.*?)^ *```", text_of(document), re.M | re.S))
    in_blocks = re.findall(r"^ *(?:[A-Z_]+=\S+ )*make ([a-z]+)()", commands, re.M)
    named = {*in_blocks, *re.findall(r"`(?:[A-Z_]+=\S+ )*make ([a-z]+)()", text_of(document))}
    assert {one or other for one, other in named} <= targets


@pytest.mark.parametrize("document", DOCUMENTS)
def test_each_management_command_exists(document: str) -> None:
    assert set(re.findall(r"manage\.py ([a-z_]+)", text_of(document))) <= {*get_commands(), "createsuperuser"}


def test_the_readme_gives_the_commands_that_ci_runs() -> None:
    steps = re.search(r"for target in ([a-z ]+); do", (PROJECT / ".ci" / "run").read_text(encoding="utf-8"))
    assert steps
    assert [name for name in steps[1].split() if f"`make {name}`" not in text_of("README.md")] == []


@pytest.mark.django_db
def test_the_readmes_first_message_is_stored(client: Client, settings: object) -> None:
    settings.DEBUG, settings.WHATSAPP_APP_SECRETS = True, []  # type: ignore[attr-defined]
    found = re.search(r'curl -X POST "http://localhost:8000(\S+)" .+? -d \'(.+?)\'', text_of("README.md"), re.S)
    assert found
    answer = client.post(found[1], found[2], content_type="application/json")
    assert answer.content == b'{"ok":true}'
    assert ConversationMessage.objects.get().text == "Hello"
    assert json.loads(found[2])["object"] == "whatsapp_business_account"


@pytest.mark.parametrize("document", DOCUMENTS)
def test_each_address_exists(document: str) -> None:
    pattern = r"[`<](?:http://localhost:8000|https://your\.host)?(/(?:admin|api|healthz|readyz)[\w/.-]*)[`>?]"
    missing = []
    for address in sorted(set(re.findall(pattern, text_of(document)))):
        if address in ("/api/", "/api/admin/", "/api/conversations/"):  # the beginning of many
            continue
        try:
            resolve(address.replace("ID", "1"))
        except Resolver404:
            missing.append(address)
    assert missing == []


@pytest.mark.parametrize("document", DOCUMENTS)
def test_each_link_leads_somewhere(document: str) -> None:
    broken = []
    for link in re.findall(r"\]\(([^)\s]+)\)", text_of(document)):
        if re.match(r"https?://|mailto:", link):
            continue
        name, _, anchor = link.partition("#")
        target = (PROJECT / document).parent / unquote(name) if name else PROJECT / document
        if not target.exists() or (anchor and anchor not in anchors_of(target)):
            broken.append(link)
    assert broken == []


@pytest.mark.parametrize("document", sorted(set(DOCUMENTS) - PAST_OR_EXAMPLES))
def test_each_file_and_module_it_names_exists(document: str) -> None:
    text = text_of(document)
    paths = set(re.findall(r"`((?:[a-z_]+/)+[a-z_.]+\.(?:py|html|md|sh))`", text))
    folders = set(
        re.findall(r"`((?:api|assistant|conversations|whatsapp|webhooks|leads|config|tests|bench)/[a-z_/]+/)`", text)
    )
    assert [path for path in sorted(paths | folders) if not (PROJECT / path).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS)
def test_each_external_link_is_well_formed(document: str) -> None:
    """With CHECK_LINKS=1, it's opened, too."""
    text = text_of(document)
    links = {*re.findall(r"\]\((https?:[^)\s]+)\)", text), *re.findall(r"<(https?:[^>\s]+)>", text)}
    bad = []
    for link in sorted(links):
        parts = urlsplit(link)
        is_local = parts.hostname == "localhost"
        if not is_local and (parts.scheme != "https" or "." not in (parts.hostname or "")):
            bad.append(link)
        elif os.environ.get("CHECK_LINKS") and not is_local:
            answer = httpx2.get(link, follow_redirects=True, timeout=20, headers={"User-Agent": "Mozilla/5.0"})
            if answer.status_code >= 400 and answer.status_code not in (403, 429):  # refused to programs
                bad.append(f"{link}: {answer.status_code}")
    assert bad == []


def test_every_page_is_in_the_index() -> None:
    index = text_of("docs/README.md")
    pages = [name.removeprefix("docs/") for name in DOCUMENTS if name.startswith("docs/")]
    listed = [page for page in pages if page != "README.md" and not page.startswith("adr/0")]
    assert [page for page in listed if f"]({page})" not in index] == []


def test_each_decision_is_in_the_index_and_says_what_was_rejected() -> None:
    index = text_of("docs/adr/README.md")
    for file in (PROJECT / "docs" / "adr").glob("[0-9]*.md"):
        assert f"]({file.name})" in index
        headings = re.findall(r"^## (.+)", file.read_text(encoding="utf-8"), re.M)
        assert headings == ["Context", "Decision", "Rejected", "Consequences"], file.name


def anchors_of(file: Path) -> set[str]:
    """As GitHub makes them of the headings."""
    headings = re.findall(r"^#+ (.+)", file.read_text(encoding="utf-8"), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def text_of(document: str) -> str:
    return (PROJECT / document).read_text(encoding="utf-8")
