"""Deliveries from several threads, and other transactions that hold rows."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from django.db import connection
from django.test import Client

from conversations.models import ConversationMessage
from tests.stage import SECRET, WEBHOOK
from whatsapp.tests.factories import Json, inbound, signed, text_message
from whatsapp.webhook.parsing import parse
from whatsapp.webhook.storing import Batch, Locking, Outcome, SignedBody
from whatsapp.webhook.types import Signer

ANN, BOB = "79000000001", "79000000002"
SECONDS = 30.0


def said(text: str, sender: str = ANN, **more: Any) -> Json:
    return inbound(text_message(text, sender=sender, **more), contacts=[])


def store(*bodies: Json) -> list[Outcome]:
    return Batch([SignedBody(parse(body), Signer()) for body in bodies], Locking.SKIP).store()


def texts() -> list[str]:
    return sorted(ConversationMessage.objects.values_list("text", flat=True))


@contextmanager
def second_connection() -> Iterator[psycopg.Connection]:
    parameters = connection.get_connection_params()
    names = {name: parameters[name] for name in ("host", "port", "dbname", "user", "password") if name in parameters}
    with psycopg.connect(**names) as other:
        yield other


@contextmanager
def locked(table: str, condition: str) -> Iterator[psycopg.Connection]:
    """Another transaction holds these rows."""
    with second_connection() as other:
        assert other.execute(f"SELECT FROM {table} WHERE {condition} FOR UPDATE").rowcount
        yield other
        other.rollback()


def in_thread(work: Callable[[], object]) -> threading.Thread:
    def run() -> None:
        work()
        connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def post(body: Json) -> int:
    """From any thread, through the view."""
    raw, header = signed(body, SECRET)
    headers = {"X-Hub-Signature-256": header}
    return Client().post(WEBHOOK, raw, content_type="application/json", headers=headers).status_code


def wait_until_blocked() -> None:
    """Until a transaction waits for another's row."""
    with second_connection() as other:
        other.autocommit = True
        for _ in range(10_000):
            waiting = other.execute("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'").fetchone()
            if waiting and waiting[0]:
                return
    pytest.fail("nothing waits for a lock")
