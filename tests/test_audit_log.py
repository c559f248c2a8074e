"""Every action is in the audit log once, with the right person, in the transaction of the action."""

import json
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.db import connection
from django.db.models import BooleanField
from django.http import HttpRequest
from django.urls import URLPattern

import api.urls
from api.models import ApiKey
from audit import recording
from audit.acting import Actor, acting
from audit.choices import Action, ActorKind
from audit.models import AuditEntry
from audit.watching import watched_models
from tenants.scoped_admin import TenantScopedAdmin
from tests.acting import Case, Office
from tests.audited import CASES
from tests.both_businesses import SECRET, THEIRS

pytestmark = pytest.mark.django_db
CHANGING = set(Action) - {Action.SIGNED_IN, Action.SIGNED_OUT, Action.SIGN_IN_FAILED, Action.READ, Action.EXPORTED}
UNCHANGEABLE = {"privacy/erasure", "tenants/invitation"}
NOTED = {"last_used_at", "last_login", "seen_at"}  # by reading


@pytest.fixture
def office(db: None, settings: Any) -> Office:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    return Office()


def after(office: Office, case: Case) -> list[AuditEntry]:
    """What an action added to our log."""
    case.prepare(office)
    newest = AuditEntry.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    case.do(office)
    return list(AuditEntry.objects.filter(pk__gt=newest, tenant=office.ours).order_by("pk"))


@pytest.mark.parametrize("name", CASES)
def test_each_action_is_recorded_once_with_who_did_it(office: Office, name: str) -> None:
    case = CASES[name]
    found = after(office, case)
    assert [each.action for each in found] == [case.action], [str(each) for each in found]
    (entry,) = found
    assert case.who in entry.actor
    assert case.about in entry.object
    assert entry.business in ("Business ours", "New name")
    assert entry.address == (None if entry.actor_kind == "command" else "127.0.0.1")
    text = f"{entry.object} {json.dumps(entry.changes)}"
    assert SECRET not in text
    assert THEIRS not in text


def test_the_table_has_every_action() -> None:
    missing = set(Action) - {case.action for case in CASES.values()}
    assert not missing, f"Add cases to tests/audited.py: {missing}"


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.action in CHANGING])
def test_what_cannot_be_recorded_is_not_done(office: Office, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*args: object) -> None:
        raise RuntimeError("The audit log is full.")

    CASES[name].prepare(office)
    before = everything()
    monkeypatch.setattr(recording, "_values", fails)
    with pytest.raises(RuntimeError, match="full"):
        CASES[name].do(office)
    assert everything() == before


def everything() -> dict[str, list[dict[str, Any]]]:
    """Every row that the log watches."""
    found: dict[str, list[dict[str, Any]]] = {}
    for model in watched_models():
        rows = model._base_manager.order_by("pk").values()
        found[model._meta.label] = [{k: v for k, v in row.items() if k not in NOTED} for row in rows]
    return found


# --- nothing is forgotten --------------------------------------------------------------------------------------------


def test_every_page_that_can_change_something_is_watched() -> None:
    pages = {
        model
        for model, page in admin.site._registry.items()
        if isinstance(page, TenantScopedAdmin)
        for changing in (page.has_add_permission, page.has_change_permission, page.has_delete_permission)
        if changing(as_superuser())
    }
    ours = [page for page in admin.site._registry.values() if isinstance(page, TenantScopedAdmin)]
    inlines = {inline.model for page in ours for inline in page.inlines}
    assert pages | inlines <= set(watched_models())
    others = {model for model, page in admin.site._registry.items() if not isinstance(page, TenantScopedAdmin)}
    assert {model._meta.app_label for model in others} == {"axes", "procrastinate"}  # pages of other packages


def as_superuser() -> HttpRequest:
    request = HttpRequest()
    request.user = User(is_superuser=True, is_active=True)
    return request


# Not settings: what members say and do, and files.
CONVERSING = {"api_messages": "post", "api_files": "post", "api_take_over": "post", "api_hand_back": "post"}


def test_every_model_that_the_api_changes_is_watched() -> None:
    routes = [each for each in api.urls.with_api_key if isinstance(each, URLPattern)]
    unwatched = {}
    for route in routes:
        view: Any = getattr(route.callback, "cls")  # noqa: B009
        writes = [each for each in ("post", "put", "patch", "delete") if hasattr(view, each)]
        if writes and route.name not in CONVERSING and view.queryset.model not in watched_models():
            unwatched[route.name] = writes
    viewsets: list[Any] = [viewset for _, viewset, _ in api.urls.staff.registry]
    for viewset in viewsets:
        if viewset.queryset.model not in watched_models():
            unwatched[str(viewset)] = ["all"]
    assert not unwatched


def test_every_column_that_a_form_can_change_is_recorded(office: Office) -> None:
    """With its values before and after, unless it's a secret or a customer's."""
    forgotten = []
    for path, row in office.rows.items():
        how = watched_models().get(type(row))
        if how is None or path in UNCHANGEABLE:
            continue
        with acting(lambda: Actor(ActorKind.PERSON, "Ana")):
            row.refresh_from_db()
            for column in how.fields():
                if isinstance(column, BooleanField):
                    setattr(row, column.name, not getattr(row, column.name))
                    row.save(update_fields=[column.name])
                    newest = AuditEntry.objects.latest("pk")
                    if [each["field"] for each in newest.changes] != [column.verbose_name]:
                        forgotten.append(f"{path}: {column.name}")
    assert not forgotten


def test_secrets_are_never_shown(office: Office) -> None:
    newest = AuditEntry.objects.latest("pk").pk
    planted = {"assistant/assistant": ["api_key"], "whatsapp/whatsappaccount": ["access_token", "app_secret"]}
    for path, names in planted.items():
        office.form(office.owner, office.page(path), **{name: f"planted-{name}" for name in names})
    found = AuditEntry.objects.filter(pk__gt=newest)
    fields = [each["field"] for entry in found for each in entry.changes]
    assert fields == ["API key", "access token", "app secret"]
    with connection.cursor() as cursor:
        cursor.execute("SELECT string_agg(audit_entries::text, ' ') FROM audit_entries")
        (text,) = cursor.fetchone()
    for secret in ("planted", SECRET, "gAAAA", *ApiKey.objects.values_list("hash", flat=True)):
        assert secret not in text
    for token in (office.key.token, *User.objects.exclude(password="").values_list("password", flat=True)):
        assert token not in text
