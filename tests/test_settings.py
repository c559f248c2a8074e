"""The settings reference matches the settings, and Parley refuses to start with settings that are unsafe."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import config.keys

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


def check(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """`manage.py check` in production."""
    run = f"sys.argv = {['manage.py', 'check', *arguments]}; runpy.run_path('manage.py', None, '__main__')"
    return start(f"import sys, runpy; {run}", **{**SECRETS, **environment})


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


def test_the_example_sets_nothing() -> None:
    lines = (PROJECT / ".env.example").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if line and not line.startswith("#")] == []


def test_production_starts_with_its_secrets() -> None:
    started = start("import config.settings as s; print(s.DEBUG, s.SANDBOX)", **SECRETS)
    assert started.stdout == "False False\n", started.stderr


@pytest.mark.parametrize("missing", SECRETS)
@pytest.mark.parametrize("how", ["unset", "empty", "blank"])
def test_production_does_not_start_without_its_secrets(missing: str, how: str) -> None:
    environment = {name: value for name, value in SECRETS.items() if name != missing}
    if how != "unset":
        environment[missing] = "" if how == "empty" else " , "
    refused = start(**environment)
    assert refused.returncode != 0
    assert f"ImproperlyConfigured: {missing} is not set" in refused.stderr


@pytest.mark.parametrize("keys", ["abc", "MDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDA=,abc", "x" * 44, "é" * 22])
def test_an_invalid_encryption_key_is_refused(keys: str) -> None:
    refused = start(**{**SECRETS, "FIELD_ENCRYPTION_KEYS": keys})
    assert refused.returncode != 0
    assert "FIELD_ENCRYPTION_KEYS isn't valid" in refused.stderr
    assert keys not in refused.stderr.splitlines()[-1]


def test_the_development_keys_are_refused_in_production() -> None:
    refused = start(**{**SECRETS, "FIELD_ENCRYPTION_KEYS": config.keys.DEVELOPMENT_FIELD_KEY})
    assert "FIELD_ENCRYPTION_KEYS contains the development key" in refused.stderr
    assert "config.E001" in check(SECRET_KEY=config.keys.DEVELOPMENT_SECRET_KEY).stderr


@pytest.mark.parametrize(
    ("environment", "found"),
    [
        ({}, ""),
        ({"SECRET_KEY": "short"}, "config.E001"),
        ({"SECRET_KEY": "a" * 50}, "config.E001"),
        ({"WHATSAPP_APP_SECRET": "a"}, "config.E002"),
        ({"WHATSAPP_APP_SECRET": "0123456789abcdef0123456789abcdef,new"}, "config.E002"),
        ({"WHATSAPP_APP_SECRET": "not a secret at all"}, "config.E002"),
    ],
)
def test_weak_secrets_are_refused_by_check(environment: dict[str, str], found: str) -> None:
    checked = check(**environment)
    assert (checked.returncode != 0) == bool(found)
    assert found in checked.stderr


def test_an_app_secret_that_is_not_metas_is_a_warning_for_deployment() -> None:
    assert "config.W001" in check("--deploy").stderr
    assert "config.W001" not in check("--deploy", WHATSAPP_APP_SECRET="0123456789abcdef" * 2).stderr


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.4", "parley.example.com"])
def test_debugging_is_refused_where_other_machines_can_connect(host: str) -> None:
    refused = start(DEBUG="true", WEB_HOST=host)
    assert refused.returncode != 0
    assert f"DEBUG=true can't be used with the address {host}" in refused.stderr


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
def test_debugging_is_allowed_on_this_machine(host: str) -> None:
    assert start(DEBUG="true", WEB_HOST=host).returncode == 0


def test_gunicorn_refuses_to_debug_on_a_public_address_given_on_its_command_line() -> None:
    command = [sys.executable, "-m", "gunicorn", "-c", "config/gunicorn.py", "-b", "0.0.0.0:0"]
    environment = {"ENV_FILE": "", "DEBUG": "true"}
    refused = subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=False)
    assert refused.returncode != 0
    assert "DEBUG=true can't be used with the address 0.0.0.0" in refused.stderr


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "abc"),
        ("PORT", "0"),
        ("PORT", "70000"),
        ("PORT", ""),
        ("DEBUG", "maybe"),
        ("MULTITENANT_ENABLED", ""),
        ("TURN_QUIET_SECONDS", "soon"),
        ("TURN_QUIET_SECONDS", "nan"),
        ("GRAPH_SECONDS", "-1"),
        ("WORKER_CONCURRENCY", "4.5"),
        ("MODEL_PRICES", "{"),
        ("MEDIA_LARGEST_MB", "[1]"),
        ("OPENAI_BASE_URL", "api.example.com"),
        ("PUBLIC_URL", "parley.example.com"),
        ("DATABASE_URL", "mysql://user:secret@host/name"),
    ],
)
def test_a_bad_value_is_refused_with_its_name_and_what_to_do(name: str, value: str) -> None:
    refused = start(**{"DEBUG": "true", name: value})
    assert refused.returncode != 0
    last = refused.stderr.splitlines()[-1]
    assert f"ImproperlyConfigured: {name} is" in last
    assert "Set it to" in last
    assert "secret" not in last


def test_manage_py_says_in_one_line_what_is_wrong() -> None:
    refused = check(PORT="abc")
    assert refused.stderr == "PORT is 'abc'. Set it to a number from 1 to 65535 (docs/reference/settings.md).\n"


def test_manage_py_needs_no_activated_environment() -> None:
    """With the system's Python, which has none of the packages, it goes on with the one in .venv."""
    bare = [sys.executable, "-I", "-S", "manage.py", "help", "verify_chat_history"]
    environment = {"ENV_FILE": "", "DEBUG": "true"}
    started = subprocess.run(bare, cwd=PROJECT, env=environment, capture_output=True, text=True, check=False)
    assert "Checks that conversations are reused" in started.stdout or "aren't installed" in started.stderr


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
def test_several_app_secrets_are_valid_during_a_rotation(text: str, secrets: list[str]) -> None:
    command = "import config.settings as s; print(s.WHATSAPP_APP_SECRETS)"
    assert start(command, DEBUG="true", WHATSAPP_APP_SECRET=text).stdout.strip() == repr(secrets)


def test_gunicorn_listens_on_the_port_and_only_locally_in_development() -> None:
    command = "import config.gunicorn as g; print(g.bind, g.workers, g.threads)"
    assert start(command, DEBUG="true", PORT="9000").stdout.split() == ["127.0.0.1:9000", "2", "16"]
    production = start(command, WEB_CONCURRENCY="3", WEB_THREADS="8", **SECRETS)
    assert production.stdout.split() == ["0.0.0.0:8000", "3", "8"], production.stderr


LOCK, STATEMENT, IDLE = "-c lock_timeout=5000", "-c statement_timeout=30000", "-c idle_in_transaction_session_timeout="


@pytest.mark.parametrize(
    ("environment", "options"),
    [
        ({}, [LOCK, STATEMENT, IDLE + "60000"]),
        ({"DATABASE_STATEMENT_SECONDS": "0", "DATABASE_IDLE_SECONDS": "0.5"}, [LOCK, IDLE + "500"]),
        ({"DATABASE_URL": "postgres://u@h/d?options=-c%20geqo=off"}, [LOCK, STATEMENT, IDLE + "60000", "-c geqo=off"]),
        ({f"DATABASE_{name}_SECONDS": "0" for name in ("LOCK", "STATEMENT", "IDLE")}, ["None"]),
    ],
)
def test_database_timeouts_can_be_changed_and_turned_off(environment: dict[str, str], options: list[str]) -> None:
    command = "import config.settings as s; print(s.DATABASES['default']['OPTIONS'].get('options'))"
    started = start(command, **SECRETS, **environment)
    assert started.stdout.strip() == " ".join(options), started.stderr
