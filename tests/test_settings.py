"""The settings reference matches the settings, and Parley refuses to start with settings that are unsafe."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parent.parent
REFERENCE = PROJECT / "docs" / "reference" / "settings.md"
READERS = ["config/settings.py", "config/database.py", "config/gunicorn.py"]
SECRETS = {
    "SECRET_KEY": "long-and-random-0123456789-abcdefghijklmnopqrstuvwxyz",
    "FIELD_ENCRYPTION_KEYS": "MDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDA=",
    "WHATSAPP_APP_SECRET": "app-secret",
    "WHATSAPP_VERIFY_TOKEN": "verify-token",
}


def settings_text() -> str:
    return "\n".join((PROJECT / reader).read_text(encoding="utf-8") for reader in READERS)


def variables_read() -> set[str]:
    """The variables that the settings read, found in their text."""
    return set(re.findall(r"""(?:\benv\.\w+|\brequired)\(\s*["']([A-Z][A-Z0-9_]*)["']""", settings_text()))


def documented() -> dict[str, tuple[str, str]]:
    """The default and the description of each variable in the settings reference."""
    rows = re.findall(r"^\| `([A-Z][A-Z0-9_]*)` \| (.+?) \| (.+) \|$", REFERENCE.read_text(encoding="utf-8"), re.M)
    return {name: (default, description) for name, default, description in rows}


def literal_defaults() -> dict[str, str]:
    """The defaults that are literals in the settings, spelled as in an environment variable."""
    literal = r"""env\.\w+\(\s*"([A-Z][A-Z0-9_]*)",\s*default=("[^"]+"|[\d.]+|True|False)\)"""
    found = re.findall(literal, settings_text())
    return {name: value.strip('"') if value.startswith('"') else value.lower() for name, value in found}


def start(command: str = "import config.settings", **environment: str) -> subprocess.CompletedProcess[str]:
    """A process with this environment and no other, and without `.env`."""
    return subprocess.run(
        [sys.executable, "-c", command],
        cwd=PROJECT,
        env={"ENV_FILE": "", **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_reference_lists_every_variable_that_is_read_and_no_other() -> None:
    assert set(documented()) == variables_read()


def test_the_reference_gives_the_right_defaults() -> None:
    defaults = literal_defaults()
    assert len(defaults) > 30, "the defaults were not found"
    wrong = {name: documented()[name][0] for name, default in defaults.items() if default not in documented()[name][0]}
    assert wrong == {}


@pytest.mark.parametrize("document", ["README.md", ".env.example"])
def test_only_variables_that_are_read_are_recommended(document: str) -> None:
    text = (PROJECT / document).read_text(encoding="utf-8")
    named = set(re.findall(r"^#?([A-Z][A-Z0-9_]*)=", text, re.M))
    if document == "README.md":
        named = set(re.findall(r"`([A-Z][A-Z0-9]*_[A-Z0-9_]*)`", text))
    assert named
    assert named - variables_read() == set()


def test_the_example_holds_no_value_that_acts() -> None:
    lines = (PROJECT / ".env.example").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if line and not line.startswith("#")] == []


def test_production_starts_with_its_secrets() -> None:
    started = start("import config.settings as s; print(s.DEBUG, s.SANDBOX)", **SECRETS)
    assert started.stdout == "False False\n", started.stderr


@pytest.mark.parametrize("missing", SECRETS)
@pytest.mark.parametrize("how", ["unset", "empty", "blank"])
def test_production_does_not_start_without(missing: str, how: str) -> None:
    environment = {name: value for name, value in SECRETS.items() if name != missing}
    if how != "unset":
        environment[missing] = "" if how == "empty" else " , "
    refused = start(**environment)
    assert refused.returncode != 0
    assert f"ImproperlyConfigured: {missing} is not set" in refused.stderr


def test_debugging_needs_no_secrets() -> None:
    assert start(DEBUG="true").returncode == 0


def test_the_sandbox_is_refused_in_production() -> None:
    refused = start(SANDBOX="true", **SECRETS)
    assert refused.returncode != 0
    assert "SANDBOX=true needs DEBUG=true" in refused.stderr


@pytest.mark.parametrize(
    ("configured", "graph", "openai"),
    [
        ({}, "http://127.0.0.1:8123/sandbox/graph", "http://127.0.0.1:8123/sandbox/openai/v1"),
        (
            {"WHATSAPP_ACCESS_TOKEN": "token", "OPENAI_API_KEY": "key"},
            "https://graph.facebook.com",
            "https://api.openai.com/v1",
        ),
        (
            {"WHATSAPP_GRAPH_URL": "http://graph.test/", "OPENAI_BASE_URL": "http://model.test/v1/"},
            "http://graph.test",
            "http://model.test/v1",
        ),
    ],
)
def test_the_sandbox_stands_in_only_for_what_is_not_configured(
    configured: dict[str, str], graph: str, openai: str
) -> None:
    command = "import config.settings as s; print(s.WHATSAPP_GRAPH_URL, s.OPENAI_BASE_URL)"
    started = start(command, DEBUG="true", SANDBOX="true", PORT="8123", **configured)
    assert started.stdout.split() == [graph, openai], started.stderr


@pytest.mark.parametrize(("text", "secrets"), [("one", ["one"]), (" new , old,", ["new", "old"]), ("", [])])
def test_several_app_secrets_may_hold_while_one_is_replaced(text: str, secrets: list[str]) -> None:
    command = "import config.settings as s; print(s.WHATSAPP_APP_SECRETS)"
    assert start(command, DEBUG="true", WHATSAPP_APP_SECRET=text).stdout.strip() == repr(secrets)


def test_gunicorn_listens_on_the_port_and_shuts_strangers_out_of_a_developers_machine() -> None:
    command = "import config.gunicorn as g; print(g.bind, g.workers, g.threads)"
    assert start(command, DEBUG="true", PORT="9000").stdout.split() == ["127.0.0.1:9000", "2", "16"]
    production = start(command, WEB_CONCURRENCY="3", WEB_THREADS="8", **SECRETS)
    assert production.stdout.split() == ["0.0.0.0:8000", "3", "8"], production.stderr
