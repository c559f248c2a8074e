"""Crafted requests are refused: in one line of the log, without a traceback, and never with a 500."""

import logging
import sys
from typing import Any

import pytest
from django.contrib.admin import site
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from api.tests.clients import Clients
from config.web.logs import RefusalsInOneLine
from conversations.admin import ConversationMessageAdmin
from conversations.models import ConversationMessage
from conversations.tests.rows import conversation, message
from tenants.tests.people import TwoBusinesses

pytestmark = pytest.mark.django_db
MESSAGES = "/admin/conversations/conversationmessage/"


@pytest.fixture
def clients(db: None) -> Clients:
    return Clients()


@pytest.fixture
def viewer(businesses: TwoBusinesses) -> Client:
    message(conversation(businesses.ours), "Hello")
    client = businesses.browser("viewer")
    client.raise_request_exception = False
    return client


@pytest.mark.parametrize(
    "name",
    [
        *("text__regex", "text__iregex", "text__contains", "text", "hash__startswith", "raw_json__contains"),
        *("conversation__external_id__regex", "conversation__tenant__name__regex", "role__regex", "role__in", "pk"),
        *("conversation__tenant__assistant__api_key__startswith", "nonsense", "created_at__year", "id__gt"),
    ],
)
def test_a_lookup_that_no_filter_of_the_list_uses_is_refused(viewer: Client, name: str) -> None:
    answer = viewer.get(MESSAGES, {name: "("})
    assert answer.status_code == 400 or (answer.status_code, answer["Location"]) == (302, f"{MESSAGES}?e=1")


@pytest.mark.parametrize("admin", list(site._registry.values()), ids=lambda each: each.opts.label)
def test_no_pattern_of_a_user_reaches_the_database(businesses: TwoBusinesses, admin: Any) -> None:
    """Whichever list it is, also those of other packages, and also for superusers."""
    superuser = businesses.browser("superuser")
    columns = [field.name for field in admin.model._meta.fields]
    with CaptureQueriesContext(connection) as queries:
        for name in columns:
            superuser.get(
                reverse(f"admin:{admin.opts.app_label}_{admin.opts.model_name}_changelist"), {f"{name}__regex": "a*"}
            )
    assert len(queries) > len(columns)
    assert [query["sql"] for query in queries if "::text ~" in query["sql"] or "~*" in query["sql"]] == []


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("conversations/conversationmessage", {"role__exact": "user", "status__isnull": "True", "kind__exact": "text"}),
        (
            "conversations/conversation",
            {
                "tab": "needs",
                "is_active__exact": "1",
                "last_message_at__gte": "2026-01-01 00:00:00+00:00",
            },
        ),
        (
            "leads/lead",
            {
                "stage__exact": "won",
                "created_at__gte": "2026-01-01 00:00:00+00:00",
                "created_at__lt": "2027-01-01 00:00:00+00:00",
                "source": "x",
            },
        ),
        ("webhooks/webhookdelivery", {"event__type__exact": "message.received", "endpoint__tenant__id__exact": "1"}),
    ],
)
def test_the_lists_own_filters_work(viewer: Client, path: str, query: dict[str, str]) -> None:
    assert viewer.get(f"/admin/{path}/", query).status_code == 200


def test_the_redirect_to_a_public_page_is_gone(viewer: Client) -> None:
    assert viewer.get("/admin/r/20/2/").status_code == 404


def test_a_statement_that_reaches_its_timeout_is_answered_with_503(
    viewer: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = ConversationMessage.objects.extra(where=["pg_sleep(60) IS NULL"])
    monkeypatch.setattr(ConversationMessageAdmin, "get_queryset", lambda self, request: slow)
    connection.cursor().execute("SET LOCAL statement_timeout = '100ms'")
    answer = viewer.get(MESSAGES)
    assert answer.status_code == 503
    assert "<h1>This took too long</h1>" in answer.content.decode()


@pytest.mark.parametrize("path", ["/admin/leads/lead/", "/api/leads"])
def test_what_the_database_cannot_take_is_answered_with_400(clients: Clients, path: str) -> None:
    client = clients.businesses.browser("viewer")
    client.raise_request_exception = False
    assert (
        client.get(path, {"source": "a\x00b"}, headers={"Authorization": f"Bearer {clients.reader.token}"}).status_code
        < 500
    )


# --- the log ---


def logged(message: str, *args: object, **more: object) -> str:
    """What the console shows of an error while a request was handled."""
    try:
        raise ValueError("why")
    except ValueError:
        made = logging.Logger("django").makeRecord(
            "n", logging.ERROR, "f", 1, message, args, sys.exc_info(), extra=more
        )
    assert RefusalsInOneLine().filter(made)
    return logging.Formatter("%(levelname)s %(message)s").format(made)


@pytest.mark.parametrize("status", [400, 403, 404])
def test_a_refusal_is_logged_in_one_line(status: int) -> None:
    text = "Filtering by a\n2026-01-01 INFO forged %s not allowed"
    assert logged(text, status_code=status) == "ERROR Filtering by a 2026-01-01 INFO forged %s not allowed"


def test_a_failure_is_logged_with_its_traceback() -> None:
    assert 'raise ValueError("why")' in logged("Internal Server Error: %s", "/", status_code=500)
    assert 'raise ValueError("why")' in logged("A job failed.")


def test_refusals_of_pages_are_marked_as_such_in_the_log(viewer: Client, caplog: pytest.LogCaptureFixture) -> None:
    for path in ("/admin/api/apikey/", f"{MESSAGES}?text__regex=a", "/no/such/page"):
        viewer.get(path)
    assert [record.__dict__["status_code"] for record in caplog.records] == [403, 400, 404]
