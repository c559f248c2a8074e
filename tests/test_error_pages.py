"""Error pages look like ours, say what to do, and lead back."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import SuspiciousOperation
from django.db import OperationalError
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import path
from psycopg import errors

from config import urls as real
from tenants.sign_in import OF_ADDRESS_AND_ACCOUNT
from tenants.tests.people import TwoBusinesses

pytestmark = pytest.mark.django_db


def failing(error: Exception) -> Callable[[HttpRequest], HttpResponse]:
    def view(request: HttpRequest) -> HttpResponse:
        raise error

    return view


busy = OperationalError("canceling statement")
busy.__cause__ = errors.QueryCanceled()
urlpatterns = [
    path("broken/", failing(ZeroDivisionError("secret detail"))),
    path("suspicious/", failing(SuspiciousOperation("secret detail"))),
    path("busy/", failing(busy)),
    *real.urlpatterns,
]


def shown(client: Client, url: str, status: int) -> str:
    client.raise_request_exception = False
    response = client.get(url)
    page = response.content.decode()
    assert response.status_code == status
    assert '<a class="button" href="/' in page
    assert "/static/tenants/error.css" in page
    assert "secret detail" not in page
    return page


@pytest.mark.urls(__name__)
@pytest.mark.parametrize(
    ("url", "status", "words"),
    [
        ("/nowhere/", 404, "Page not found"),
        ("/broken/", 500, "tell whoever runs this installation"),
        ("/suspicious/", 400, "Go back and try again"),
        ("/busy/", 503, "Try again in a moment"),
    ],
)
def test_an_error_says_what_to_do_and_leads_back(url: str, status: int, words: str) -> None:
    assert words in shown(Client(), url, status)


def test_a_page_beyond_someones_role_says_whom_to_ask(businesses: TwoBusinesses) -> None:
    page = shown(businesses.browser("viewer"), "/admin/webhooks/webhookendpoint/add/", 403)
    assert "Ask an owner of the business for access" in page


def test_a_form_without_a_valid_csrf_token_says_to_reload() -> None:
    response = Client(enforce_csrf_checks=True).post("/admin/login/", {"username": "ann"})
    page = response.content.decode()
    assert response.status_code == 403
    assert "Nothing was saved or sent." in page
    assert "reload the page" in page


def test_a_lockout_says_for_how_long_and_whom_to_ask(settings: Any) -> None:
    settings.AXES_ENABLED = True
    User.objects.create_user("ann", password="a long and quiet road", is_staff=True)
    for _ in range(OF_ADDRESS_AND_ACCOUNT):
        response = Client().post("/admin/login/", {"username": "ann", "password": "wrong"})
    page = response.content.decode()
    assert response.status_code == 429
    assert "Try again in 15 minutes." in page
    assert "ask whoever runs this installation" in page
    assert 'href="/admin/password-reset/"' in page
