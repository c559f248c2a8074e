"""`python -m sandbox` works without the rest of Parley."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from urllib.parse import quote, urlencode

import httpx2
import pytest
from django.db import connection

from sandbox.tests.conftest import Bot
from sandbox.tests.graph import NUMBER, PERSON

pytestmark = pytest.mark.django_db(transaction=True)


def database_url() -> str:
    """The URL of the test's database, for another process."""
    found = connection.get_connection_params()
    where = {key: found[key] for key in ("host", "port") if found.get(key)}
    user = quote(str(found.get("user") or ""), safe="")
    password = f":{quote(str(found['password']), safe='')}" if found.get("password") else ""
    return f"postgres://{user}{password}@/{found['dbname']}?{urlencode(where)}"


@pytest.fixture
def alone(bot: Bot) -> Iterator[str]:
    """The URL of a standalone sandbox that posts to the bot."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "sandbox", "--port", str(port), "--webhook", bot.url, "--secret", "newest"]
    environment = os.environ | {"DATABASE_URL": database_url(), "PYTHONWARNINGS": "error"}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout is not None
    try:
        for line in process.stdout:
            if "Ctrl-C" in line:
                break
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)
        process.stdout.close()


def test_it_serves_the_phone_and_posts_to_any_bot(alone: str, bot: Bot) -> None:
    with httpx2.Client(base_url=alone, transport=httpx2.HTTPTransport(retries=8)) as client:
        assert "Sandbox phone" in client.get("/sandbox/").text
        assert client.get("/static/sandbox/main.js").status_code == 200
        body = {"messaging_product": "whatsapp", "to": PERSON, "type": "text", "text": {"body": "Hello"}}
        url = f"/sandbox/graph/v24.0/{NUMBER}/messages"
        assert client.post(url, json=body, headers={"Authorization": "Bearer any"}).status_code == 200
    delivery = bot.next()
    assert delivery.value["statuses"][0]["status"] == "sent"
    assert delivery.signature.startswith("sha256=")
    bot.next()
