"""/api/schema is complete and correct: no request gets a 5xx or a response that it doesn't describe.

schemathesis generates valid and invalid requests for every operation and sends them to the WSGI application.
"""

import contextlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from django.apps import apps
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections, transaction
from django.test import Client
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.config import SchemathesisConfig
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from api.keys import generate_admin_token
from api.tests.clients import Clients, endpoints
from api.tests.conftest import Meta
from conversations.tests.rows import conversation, many_messages
from knowledge.models import Source
from leads.models import Lead
from tenants.models import Tenant
from whatsapp.models import WhatsAppAccount

EXAMPLES = 8  # of each kind of request, for each operation
ROW = 900_001  # the ID of a row in each table
# Without the checks for what DRF deliberately allows, such as "5" as a number.
CHECKED: list[Any] = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
questions = settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(autouse=True)
def one_connection() -> Iterator[None]:
    """Keep the connection open after a request, as Django's test client does, because it has the test's transaction."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@pytest.fixture
def keys(clients: Clients, meta: Meta, settings: Any, tmp_path: Path) -> dict[str, dict[str, str]]:
    """The authentication headers by path prefix. Also creates rows to find."""
    settings.API_RATE_LIMIT, settings.MEDIA_ROOT = 1_000_000, str(tmp_path)
    ours = clients.businesses.ours
    talk = conversation(ours, "4915112345", id=ROW, operator=clients.owner, needs_person="why")
    many_messages(talk, 5)
    Lead.objects.create(id=ROW, tenant=ours, conversation=talk, name="Ann", fields={"a": 1}, referral={"b": 2})
    Source.objects.create(id=ROW, tenant=ours, kind="question", title="Open?", text="Yes.")
    export = apps.get_model("privacy", "Export").objects.create(id=ROW, tenant=ours, expires_at=talk.created_at)
    export.parts.create(id=ROW, number=1, size=3, file="exports/gone.zip")
    third = Tenant.objects.create(id=ROW, name="Third", slug="third")
    WhatsAppAccount.objects.create(id=ROW, tenant=third, phone_number_id="3", access_token="token")
    token = generate_admin_token(clients.businesses.people["superuser"])
    bearer = f"Bearer {clients.writer.token}"
    return {"/api/admin/": {"Authorization": f"Token {token}"}, "/api/": {"Authorization": bearer}}


def test_every_endpoint_is_described() -> None:
    """So the tests below include every endpoint."""
    described = Client().get("/api/schema", headers={"Accept": "application/json"}).json()["paths"]
    clients = {f"/api/{path}" for path in endpoints()}
    staff = {f"/api/admin/{name}{row}" for name in ("tenants", "whatsapp-accounts") for row in ("", "/{id}")}
    assert set(described) == {path.replace("<int:pk>", "{id}") for path in clients} | staff


def test_every_operation_has_a_summary_and_says_how_to_authenticate() -> None:
    described = Client().get("/api/schema", headers={"Accept": "application/json"}).json()
    operations = [
        (f"{method} {path}", operation)
        for path, methods in described["paths"].items()
        for method, operation in methods.items()
    ]
    assert [name for name, operation in operations if not operation.get("summary")] == []
    schemes = {name: [scheme for each in operation["security"] for scheme in each] for name, operation in operations}
    expected = {name: ["adminToken" if " /api/admin/" in name else "apiKey"] for name, _ in operations}
    assert schemes == expected
    assert set(described["components"]["securitySchemes"]) == {"apiKey", "adminToken"}


def test_every_response_is_described(keys: dict[str, dict[str, str]]) -> None:
    schema = described()
    answered: Counter[int] = Counter()
    for result in schema.get_all_operations():
        operation = result.ok()
        key = next(keys[start] for start in keys if operation.path.startswith(start))
        for mode in GenerationMode:
            answered += _ask(operation, key, generation_mode=mode)
            if "{" in operation.path:
                answered += _ask(operation, key, generation_mode=mode, path_parameters={"id": ROW})
    assert {200, 201, 204, 400, 404} <= set(answered)


def test_every_authentication_error_is_described(keys: dict[str, dict[str, str]], clients: Clients) -> None:
    schema = described()
    reader = {"Authorization": f"Bearer {clients.reader.token}"}
    answered: Counter[int] = Counter()
    for result in schema.get_all_operations():
        for key in ({"Authorization": "Bearer prk_no"}, reader):
            answered += _ask(result.ok(), key, path_parameters={"id": ROW})
    assert {200, 401, 403} <= set(answered)


def described() -> Any:
    # Don't generate credentials: invalid ones have their own test.
    config = SchemathesisConfig.from_dict({"generation": {"with-security-parameters": False}})
    return schemathesis.openapi.from_wsgi("/api/schema", get_wsgi_application(), config=config)


def _ask(operation: Any, key: dict[str, str], **kind: Any) -> Counter[int]:
    """Send requests of this kind, each in a transaction that's rolled back. Returns the status codes."""
    answered: Counter[int] = Counter()

    @questions
    @given(case=operation.as_strategy(**kind))
    def ask(case: Any) -> None:
        with transaction.atomic():
            answer = case.call(headers=key)
            transaction.set_rollback(True)
        answered[answer.status_code] += 1
        case.validate_response(answer, checks=CHECKED)

    with contextlib.suppress(Unsatisfiable):  # if the operation has no invalid requests
        ask()
    return answered
