"""No one sees another business: every URL × every role × own, other and installation rows.

The tables repeat, independently of the code, who may do what. A new URL fails the test until it's in them.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from django.db.models import Model
from django.forms.models import model_to_dict
from django.http import HttpResponse
from django.test import Client
from django.urls import get_resolver, resolve

from api.tests.clients import endpoints, staff_client
from tenants.tests.people import TwoBusinesses
from tests.both_businesses import SECRET, THEIRS, rows_of, rows_of_the_installation, two_businesses
from tests.fake_network import FakeNetwork
from tests.isolation_report import Report

pytestmark = pytest.mark.django_db

ALL, WRITERS, OWNER, NONE = {"viewer", "operator", "owner"}, {"operator", "owner"}, {"owner"}, set[str]()
EVIDENCE = None  # refused to superusers too

# The path of the admin: the roles that may view, add, change and delete. Superusers may do all except EVIDENCE.
ADMINS: dict[str, tuple[Any, Any, Any, Any]] = {
    "tenants/tenant": (ALL, NONE, OWNER, NONE),
    "tenants/openinghours": (ALL, OWNER, OWNER, OWNER),
    "tenants/membership": (ALL, OWNER, OWNER, OWNER),
    "tenants/signinrules": (ALL, OWNER, OWNER, OWNER),
    "tenants/invitation": (OWNER, EVIDENCE, EVIDENCE, OWNER),
    "api/apikey": (OWNER, OWNER, OWNER, NONE),
    "webhooks/webhookendpoint": (ALL, OWNER, OWNER, OWNER),
    "webhooks/webhookdelivery": (ALL, EVIDENCE, EVIDENCE, EVIDENCE),
    "notifications/notificationsettings": (ALL, OWNER, OWNER, OWNER),
    "notifications/notificationdelivery": (OWNER, EVIDENCE, EVIDENCE, EVIDENCE),
    "conversations/conversation": (ALL, EVIDENCE, WRITERS, OWNER),
    "conversations/conversationmessage": (ALL, EVIDENCE, EVIDENCE, EVIDENCE),
    "leads/lead": (ALL, NONE, WRITERS, OWNER),
    "leads/leadfield": (OWNER, OWNER, OWNER, OWNER),
    "knowledge/source": (ALL, WRITERS, WRITERS, WRITERS),
    "knowledge/unansweredquestion": (ALL, EVIDENCE, WRITERS, NONE),
    "assistant/assistant": (ALL, OWNER, OWNER, OWNER),
    "assistant/turn": (ALL, EVIDENCE, EVIDENCE, EVIDENCE),
    "whatsapp/whatsappaccount": (ALL, OWNER, OWNER, OWNER),
    "whatsapp/quarantinedevent": (ALL, EVIDENCE, EVIDENCE, EVIDENCE),
    "privacy/erasure": (OWNER, OWNER, EVIDENCE, EVIDENCE),
    "audit/auditentry": (OWNER, EVIDENCE, EVIDENCE, EVIDENCE),
    "privacy/export": (OWNER, OWNER, EVIDENCE, OWNER),
    "privacy/retentionpolicy": (OWNER, OWNER, OWNER, OWNER),
    "conversations/pause": (NONE, EVIDENCE, EVIDENCE, EVIDENCE),
    "auth/user": (NONE, NONE, NONE, NONE),
    "auth/group": (NONE, NONE, NONE, NONE),
}
OF_AN_ADMIN = ["", "add/", "<path:object_id>/", *(f"<path:object_id>/{x}/" for x in ("change", "delete", "history"))]
DESK = "admin/conversations/conversation/<int:pk>/"
# Buttons: who may press them.
BUTTONS = {
    f"{DESK}take-over/": WRITERS,
    f"{DESK}hand-back/": WRITERS,
    f"{DESK}reply/": WRITERS,
    f"{DESK}note/": WRITERS,
    f"{DESK}clear-needs-person/": WRITERS,
    f"{DESK}messages/<int:message_id>/send-again/": WRITERS,
    f"{DESK}messages/<int:message_id>/delivered/": WRITERS,
}
BUTTONS_OF_SETTINGS = {
    **{f"admin/tenants/tenant/<int:pk>/{name}/": NONE for name in ("suspend", "resume")},
    "admin/knowledge/source/<int:pk>/read-again/": WRITERS,
    "admin/assistant/assistant/<int:pk>/test-prompt/": OWNER,
    "admin/assistant/assistant/<int:pk>/resume/": OWNER,
    "admin/whatsapp/whatsappaccount/<int:pk>/test-connection/": OWNER,
    "admin/whatsapp/whatsappaccount/<int:pk>/resume/": OWNER,
    "admin/webhooks/webhookendpoint/<int:pk>/test/": OWNER,
}
# Exports: everyone may export the rows that they see.
EXPORTS = ["export_csv", "export_excel"]
# The API: who may see, add, change, delete.
API: dict[str, tuple[str, Any, Any, Any, Any]] = {
    "api/admin/whatsapp-accounts": ("whatsapp/whatsappaccount", ALL, OWNER, OWNER, OWNER),
    "api/admin/tenants": ("tenants/tenant", ALL, NONE, NONE, NONE),
}
# Pages that combine rows; every member may open them.
MIXED = ["admin/", "admin/search/", "admin/jsi18n/", "admin/password_change/", f"{DESK}transcript/", f"{DESK}live/"]
# The buttons of the list are pressed in conversations/tests/test_inbox.py.
MIXED += [f"admin/conversations/conversation/{name}/" for name in ("live", "mark-handled", "preferences")]
# knowledge/tests/test_admin.py, tests/test_unknown_questions.py
MIXED += ["admin/knowledge/source/status/", "admin/knowledge/source/import/", "admin/assistant/assistant/find/"]
# Stock pages of other packages, for superusers and users with Django's own permissions.
OF_OTHERS = ["admin/axes/", "admin/procrastinate/"]
# Without anyone's rows.
OPEN = [
    *("", "api/"),
    "admin/(?P<url>.*)$",
    *("admin/login/", "admin/logout/"),
    "admin/password_change/done/",
    "admin/password-reset/",
    "admin/password-reset/<str:uidb64>/<str:token>/",
    "^admin/r/",
    "admin/r/<path:content_type_id>/<path:object_id>/",
    "api/docs",
    "api/schema",
    "api/whatsapp/webhook",
    *("healthz", "readyz", "invitation/<str:token>/"),
    *("manifest.webmanifest", "service-worker.js", "metrics"),
]
OF_ONE_ACCOUNT = ["account/"]  # accounts/tests
TESTED_BELOW = ["admin/autocomplete/", "admin/auth/user/<id>/password/"]
OF_AN_INVITEE = ["invitations/<int:pk>/"]  # tenants/tests/test_admin_invitations.py
# Each person's own: notifications/tests/test_my_page.py
MINE = "admin/notifications/notificationdelivery/mine/"
OWN = [MINE, *(f"{MINE}{end}" for end in ("test/<str:channel>/", "devices/", "devices/<int:device_id>/remove/"))]
# conversations/tests/test_attachment_views.py, whatsapp/tests/test_template_views.py and test_compose_views.py
FILES = [f"{DESK}{end}/" for end in ("attachments/<int:attachment_id>", "template", "compose")]
# tests/test_resuming.py, operations/tests/test_first_steps.py, webhooks/tests/test_endpoint_page.py
ELSEWHERE = ["admin/conversations/pause/<int:pk>/resume/", "admin/checklist/<int:pk>/dismiss/"]
ELSEWHERE += [f"admin/webhooks/webhookendpoint/<int:pk>/deliveries/{x}" for x in ("", "<int:delivery_id>/send-again/")]
ELSEWHERE += ["admin/audit/auditentry/export/<str:kind>/"]  # privacy/tests/test_audit_page.py
ELSEWHERE += ["admin/privacy/export/<int:pk>/parts/<int:number>/"]  # privacy/tests/test_exporting_pages.py
DEVELOPMENT_ONLY = ["sandbox/"]


@pytest.fixture(autouse=True)
def no_network(network: FakeNetwork) -> None:
    network.graph = lambda request: httpx2.Response(401, json={})


def routes(patterns: Any = None, before: str = "") -> Iterator[str]:
    for pattern in get_resolver().url_patterns if patterns is None else patterns:
        route = before + str(pattern.pattern)
        inner = getattr(pattern, "url_patterns", None)
        yield from routes(inner, route) if inner is not None else [route]


def test_every_url_is_in_a_table() -> None:
    known = {f"admin/{path}/{end}" for path in ADMINS for end in OF_AN_ADMIN}
    known |= {f"{path}{end}" for path in API for end in ("", "/<int:pk>")}
    known |= {*BUTTONS, *BUTTONS_OF_SETTINGS, *MIXED, *OPEN, *TESTED_BELOW, *OF_AN_INVITEE, *OWN}
    known |= {*FILES, *ELSEWHERE, *(f"api/{path}" for path in endpoints())}  # api/tests/test_isolation.py
    elsewhere = (*OF_OTHERS, *OF_ONE_ACCOUNT, *DEVELOPMENT_ONLY, "admin/^(?P<app_label>")
    unknown = [route for route in routes() if route not in known and not route.startswith(elsewhere)]
    assert not unknown, f"Say in tests/test_isolation.py who may see these: {unknown}"


class Walk:
    """One person's walk through all URLs, and the results."""

    def __init__(self, businesses: TwoBusinesses, who: str, ours: dict[str, Model], theirs: dict[str, Model]) -> None:
        self.who, self.ours, self.theirs = who, ours, theirs
        self.client = Client() if who == "anonymous" else businesses.browser(who)
        self.seen: Counter[str] = Counter()
        self.routes: set[str] = set()
        self.refusals = 0
        self.faults: list[str] = []

    def may(self, roles: set[str] | None) -> bool:
        return roles is not None and (self.who in roles or self.who == "superuser")

    def get(self, address: str, **query: Any) -> HttpResponse:
        answer = self.client.get(address, query)
        self.look(f"GET {address}", answer)
        return answer  # type: ignore[return-value]

    def post(self, address: str, data: dict[str, Any] | None = None) -> HttpResponse:
        answer = self.client.post(address, data or {})
        self.look(f"POST {address}", answer)
        return answer  # type: ignore[return-value]

    def look(self, what: str, answer: Any) -> None:
        self.seen[f"{answer.status_code}"] += 1
        self.routes.add(resolve(answer.wsgi_request.path_info).route)
        self.refusals += is_refusal(answer)
        body = (answer.getvalue() if answer.streaming else answer.content).decode(errors="replace")
        if SECRET in body:
            self.faults.append(f"{self.who}: {what} shows a secret")
        if THEIRS in body and self.who not in ("superuser", "stranger"):
            self.faults.append(f"{self.who}: {what} shows a row of another business")

    def expect(self, allowed: bool, what: str, answer: Any) -> None:
        if is_refusal(answer) == allowed:
            self.faults.append(f"{self.who}: {what} answered {answer.status_code}, allowed: {allowed}")

    def tell(self, report: Report, where: str) -> None:
        report(f"{self.who}, {where}", len(self.routes), self.refusals, self.seen)
        assert not self.faults, "\n".join(self.faults)


def is_refusal(answer: Any) -> bool:
    """401, 403, 404, 405, or a redirect to the login, or to the start page as if the page didn't exist."""
    sent_away = answer.status_code == 302 and answer["Location"].split("?")[0] in ("/admin/", "/admin/login/")
    return answer.status_code in (401, 403, 404, 405) or sent_away


@pytest.fixture
def businesses() -> TwoBusinesses:
    return two_businesses()


@pytest.mark.parametrize("who", ["anonymous", "nobody", "stranger", "viewer", "operator", "owner", "superuser"])
def test_walks_every_url(businesses: TwoBusinesses, who: str, isolation_report: Report) -> None:
    theirs = {**rows_of(businesses.theirs, THEIRS), **rows_of_the_installation(businesses)}
    walk = Walk(businesses, who, rows_of(businesses.ours, "Ours"), theirs)
    for path, rules in ADMINS.items():
        _walk_admin(walk, path, *rules)
    _press_buttons(walk)
    for action in EXPORTS:
        both = [rows["leads/lead"].pk for rows in (walk.ours, walk.theirs)]
        answer = walk.post("/admin/leads/lead/", {"action": action, "_selected_action": both})
        walk.expect(walk.may(ALL) or walk.who == "stranger", action, answer)
    for address in MIXED:
        if "<" not in address:
            walk.get(f"/{address}")
    walk.tell(isolation_report, "the admin")


def _walk_admin(walk: Walk, path: str, sees: Any, adds: Any, changes: Any, deletes: Any) -> None:
    base, own, other = f"/admin/{path}/", walk.ours.get(path), walk.theirs[path]
    listed = walk.who in sees or walk.who == "superuser" or (walk.who == "stranger" and bool(sees))
    walk.expect(listed, base, walk.get(base))
    walk.expect(listed, f"{base}?tenant", walk.get(base, tenant__id__exact=getattr(other, "tenant_id", "") or ""))
    walk.get(base, q=str(other.pk))
    if walk.who != "stranger":
        walk.expect(walk.may(adds), f"{base}add/", walk.get(f"{base}add/"))
    if own is not None:
        _walk_row(walk, base, own, sees, changes, deletes)
    if walk.who not in ("superuser", "stranger"):
        _walk_row(walk, base, other, NONE, NONE, NONE)
        before = model_to_dict(other)
        walk.post(base, {"action": "delete_selected", "_selected_action": [other.pk], "post": "yes"})
        walk.post(base, {"action": "resume", "_selected_action": [other.pk]})
        walk.post(base, {"action": "replay", "_selected_action": [other.pk]})
        other.refresh_from_db()
        if model_to_dict(other) != before:
            walk.faults.append(f"{walk.who}: changed {path} of another business")


def _walk_row(walk: Walk, base: str, row: Model, sees: Any, changes: Any, deletes: Any) -> None:
    page = f"{base}{row.pk}/"
    for end in ("change/", "history/"):
        walk.expect(walk.may(sees), page + end, walk.get(page + end))
    walk.get(page)
    walk.expect(walk.may(changes), f"POST {page}change/", walk.post(f"{page}change/", {"name": ""}))
    walk.expect(walk.may(deletes), f"{page}delete/", walk.get(f"{page}delete/"))
    if not walk.may(deletes):
        walk.post(f"{page}delete/", {"post": "yes"})
        row.refresh_from_db()


def _press_buttons(walk: Walk) -> None:
    for rows, own in ((walk.ours, True), (walk.theirs, False)):
        if not own and walk.who in ("superuser", "stranger"):
            continue
        talk, said = rows["conversations/conversation"], rows["conversations/conversationmessage"]
        for route, roles in BUTTONS.items():
            address = "/" + route.replace("<int:pk>", str(talk.pk)).replace("<int:message_id>", str(said.pk))
            answer = walk.post(address, {"text": "Hello"})
            walk.expect(own and walk.may(roles), address, answer)
        for route, roles in BUTTONS_OF_SETTINGS.items():
            row = rows["/".join(route.split("/")[1:3])]
            address = "/" + route.replace("<int:pk>", str(row.pk))
            walk.expect(own and walk.may(roles), address, walk.post(address))
        for part in ("transcript", "live"):
            address = f"/admin/conversations/conversation/{talk.pk}/{part}/"
            walk.expect(own and walk.may(ALL), address, walk.get(address))


@pytest.mark.parametrize("who", ["anonymous", "nobody", "viewer", "operator", "owner", "superuser"])
def test_walks_the_api(businesses: TwoBusinesses, who: str, isolation_report: Report) -> None:
    walk = Walk(businesses, who, rows_of(businesses.ours, "Ours"), rows_of(businesses.theirs, THEIRS))
    walk.client = Client() if who == "anonymous" else staff_client(businesses.people[who])
    for route, (path, sees, adds, changes, deletes) in API.items():
        base = f"/{route}"
        walk.expect(walk.may(sees), base, walk.get(base))
        walk.expect(walk.may(adds), f"POST {base}", walk.post(base))
        for row, own in ((walk.theirs[path], walk.who == "superuser"), (walk.ours[path], True)):
            page = f"{base}/{row.pk}"
            walk.expect(own and walk.may(sees), page, walk.get(page))
            for method, roles in (("put", changes), ("patch", changes), ("delete", deletes)):
                answer = getattr(walk.client, method)(page, {}, content_type="application/json")
                walk.look(f"{method} {page}", answer)
                walk.expect(own and walk.may(roles), f"{method} {page}", answer)
    walk.tell(isolation_report, "the admin API")


@pytest.mark.parametrize("who", ["nobody", "viewer", "operator", "owner"])
def test_suggests_no_name_of_another_business(businesses: TwoBusinesses, who: str, isolation_report: Report) -> None:
    walk = Walk(businesses, who, rows_of(businesses.ours, "Ours"), rows_of(businesses.theirs, THEIRS))
    fields = {"tenants.membership": ["tenant", "user"], "leads.lead": ["conversation", "tenant"]}
    for model, names in fields.items():
        app_label, model_name = model.split(".")
        for name in names:
            walk.get("/admin/autocomplete/", app_label=app_label, model_name=model_name, field_name=name)
    theirs = businesses.people["stranger"]
    answer = walk.post(f"/admin/auth/user/{theirs.pk}/password/", {"password1": "x", "password2": "x"})
    walk.expect(False, "the password of another", answer)
    walk.tell(isolation_report, "suggestions")
