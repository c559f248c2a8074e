"""`manage.py conformance` tells a good webhook from one that only says ok."""

import io

import pytest
from django.core.management import CommandError, call_command
from pytest_django.live_server_helper import LiveServer

from sandbox.tests.small_bot import running

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("bot")]


def conformance(url: str, sandbox: str, wait: float) -> str:
    """What the command prints; raises SystemExit when something is missing."""
    said = io.StringIO()
    options = {"secret": "newest", "verify_token": "v", "wait": wait, "settle": 0.1}
    try:
        call_command("conformance", url, sandbox=sandbox, stdout=said, no_color=True, **options)
    except SystemExit as end:
        return f"exit {end.code}\n{said.getvalue()}"
    return said.getvalue()


def test_it_finds_nothing_missing_in_a_good_bot(live_server: LiveServer) -> None:
    sandbox = f"{live_server.url}/sandbox"
    with running(graph=f"{sandbox}/graph", secret="newest", token="v") as url:
        said = conformance(url, sandbox, wait=10)
    assert "14 of 14 handled" in said
    assert "✗" not in said


def test_it_names_what_a_bot_misses_that_only_says_ok(live_server: LiveServer) -> None:
    with running(blind=True) as url:
        said = conformance(url, f"{live_server.url}/sandbox", wait=0)
    assert said.startswith("exit 1")
    missed = [line for line in said.splitlines() if line.startswith("✗")]
    assert len(missed) == 10
    for words in ("wrong verify token", "instead of 403", "expected 1 reply, saw 0", "3 of 3 customers"):
        assert words in said


def test_it_says_that_the_sandbox_is_not_there() -> None:
    with pytest.raises(CommandError, match="does not answer"):
        call_command("conformance", "http://127.0.0.1:1/", sandbox="http://127.0.0.1:1/sandbox")
