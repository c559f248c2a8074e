"""`manage.py conformance` distinguishes a correct bot from one that only answers 200."""

import io

import pytest
from django.core.management import CommandError, call_command
from pytest_django.live_server_helper import LiveServer

from sandbox.tests.small_bot import running

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("bot")]


def conformance(url: str, sandbox: str, wait: float) -> str:
    """What the command prints. Raises SystemExit if the bot misses something."""
    said = io.StringIO()
    options = {"secret": "newest", "verify_token": "v", "wait": wait, "settle": 0.1}
    try:
        call_command("conformance", url, sandbox=sandbox, stdout=said, no_color=True, **options)
    except SystemExit as end:
        return f"exit {end.code}\n{said.getvalue()}"
    return said.getvalue()


def test_it_passes_a_correct_bot(live_server: LiveServer) -> None:
    sandbox = f"{live_server.url}/sandbox"
    with running(graph=f"{sandbox}/graph", secret="newest", token="v") as url:
        said = conformance(url, sandbox, wait=10)
    assert "14 of 14 handled" in said
    assert "✗" not in said


def test_it_reports_what_a_bot_misses_that_only_answers_200(live_server: LiveServer) -> None:
    with running(blind=True) as url:
        said = conformance(url, f"{live_server.url}/sandbox", wait=0)
    assert said.startswith("exit 1")
    missed = [line for line in said.splitlines() if line.startswith("✗")]
    assert len(missed) == 10
    for words in ("wrong verify token", "instead of 403", "expected 1 reply, saw 0", "3 of 3 customers"):
        assert words in said


def test_it_reports_that_the_sandbox_does_not_respond() -> None:
    with pytest.raises(CommandError, match="doesn't respond"):
        call_command("conformance", "http://127.0.0.1:1/", sandbox="http://127.0.0.1:1/sandbox")
