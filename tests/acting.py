"""Our business with a row of everything, and ways to act in it as a person, a key or a command does."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pyotp
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db.models import Model
from django.forms import CheckboxInput
from django.test import Client

from accounts.tests.signing_in import LOGIN, PASSWORD, SECRET, with_password
from api.tests.clients import api_client, staff_client
from audit.acting import Actor, acting
from audit.choices import Action, ActorKind
from conversations.models import Conversation
from tenants.invitations import inviting
from tenants.models import Invitation, MemberRole
from tenants.tests.people import TwoBusinesses, person
from tests.both_businesses import rows_of, two_businesses


class Office:
    """Our business with a row of everything, and its people."""

    def __init__(self) -> None:
        self.businesses: TwoBusinesses = two_businesses()
        self.people = self.businesses.people
        self.ours = self.businesses.ours
        self.rows: dict[str, Model] = rows_of(self.ours, "Ours")
        for who in ("owner", "operator", "superuser"):
            with_password(self.people[who])
        self.owner, self.root = self.businesses.browser("owner"), self.businesses.browser("superuser")
        self.operator = self.businesses.browser("operator")
        self.key = api_client(self.ours, self.people["owner"])
        self.token = staff_client(self.people["owner"])

    @property
    def desk(self) -> str:
        return f"/admin/conversations/conversation/{self.rows['conversations/conversation'].pk}/"

    def page(self, path: str, end: str = "change/") -> str:
        return f"/admin/{path}/{self.rows[path].pk}/{end}"

    def form(self, client: Client, url: str, **changes: Any) -> None:
        """Send the form as it is, with these changes. Fails if it's refused."""
        form = client.get(url).context["adminform"].form
        values = {form.add_prefix(name): form.get_initial_for_field(each, name) for name, each in form.fields.items()}
        values |= {
            name: "on" if values[name] else None
            for name, each in form.fields.items()
            if isinstance(each.widget, CheckboxInput)
        }
        formsets = client.get(url).context["inline_admin_formsets"]
        for each in formsets:
            management = each.formset.management_form
            values |= {management.add_prefix(name): management[name].value() for name in management.fields}
        sent = {name: _sent(value) for name, value in {**values, **changes}.items() if value is not None}
        answer = client.post(url, sent)
        assert answer.status_code == 302, answer.context["errors"] if answer.context else answer.content


def _sent(value: Any) -> Any:
    if isinstance(value, Model):
        return value.pk
    return json.dumps(value) if isinstance(value, dict) else value


@dataclass(frozen=True)
class Case:
    """who: the name of a person of ours, or of an actor that isn't one. about: a part of the object's text."""

    do: Callable[[Office], object]
    action: Action
    who: str = "our-owner@example.test"
    about: str = ""
    prepare: Callable[[Office], object] = lambda office: None


def act(client: str, page: str, action: str, row: str | None = None, **more: str) -> Callable[[Office], object]:
    def do(office: Office) -> None:
        answer = getattr(office, client).post(
            f"/admin/{page}/", {"action": action, "_selected_action": [office.rows[row or page].pk], **more}
        )
        assert answer.status_code in (200, 302)
        for close in answer._resource_closers:  # `answer.close` would close the test's database connection too
            close()

    return do


def delete(page: str, client: str = "owner") -> Callable[[Office], object]:
    return lambda office: getattr(office, client).post(office.page(page, "delete/"), {"post": "yes"})


def desk(end: str, client: str = "operator", method: str = "post") -> Callable[[Office], object]:
    return lambda office: getattr(getattr(office, client), method)(f"{office.desk}{end}", {"text": "Hello"})


def fail_to_sign_in(office: Office, username: str = "our-owner") -> None:
    Client().post(LOGIN, {"username": username, "password": "wrong"})


def sign_in(office: Office) -> None:
    Client().post(LOGIN, {"username": "our-owner", "password": PASSWORD})


def wrong_code(office: Office) -> None:
    client = Client()
    client.post(LOGIN, {"username": "our-owner", "password": PASSWORD})
    client.post("/account/two-factor/authenticate/", {"code": "000000"})


def set_up_app(office: Office) -> None:
    page = office.owner.get("/account/two-factor/totp/activate/")
    code = pyotp.TOTP(page.context["form"].secret).now()
    assert office.owner.post("/account/two-factor/totp/activate/", {"code": code}).status_code == 302


def with_factor(office: Office) -> None:
    TOTP.activate(office.people["owner"], SECRET)
    RecoveryCodes.activate(office.people["owner"])


def by_command(*arguments: str) -> Callable[[Office], object]:
    def do(office: Office) -> None:
        with acting(lambda: Actor(ActorKind.COMMAND, f"manage.py {arguments[0]}")):
            call_command(*arguments)

    return do


def invite(office: Office) -> None:
    data = {"tenant": office.ours.pk, "email": "new@example.test", "role": "viewer", "user": ""}
    assert office.owner.post("/admin/tenants/membership/add/", data).status_code == 200


def add_member(office: Office) -> None:
    data = {"tenant": office.ours.pk, "email": "", "role": "viewer", "user": office.people["nobody"].pk}
    assert office.root.post("/admin/tenants/membership/add/", data).status_code == 302


def invited(office: Office) -> None:
    """Someone with an account."""
    guest = person("guest")
    offer = Invitation(tenant=office.ours, email=guest.email, role=MemberRole.VIEWER, invited_by=office.people["owner"])
    inviting.invite(offer)


def answer_invitation(answer: str) -> Callable[[Office], object]:
    def do(office: Office) -> None:
        client = Client()
        with acting(None):
            client.force_login(User.objects.get(username="guest"))
        offer = Invitation.objects.get(email="guest@example.test")
        assert client.post(f"/invitations/{offer.pk}/", {"answer": answer}).status_code == 302

    return do


def open_link(office: Office) -> None:
    offer = Invitation(
        tenant=office.ours, email="new@example.test", role=MemberRole.VIEWER, invited_by=office.people["owner"]
    )
    link = inviting.invite(offer).removeprefix("http://localhost:8000")
    assert Client().post(link, {"new_password1": PASSWORD, "new_password2": PASSWORD}).status_code == 302


def new_key(office: Office) -> None:
    data = {"tenant": office.ours.pk, "name": "Till", "scope": "read"}
    assert office.owner.post("/admin/api/apikey/add/", data).status_code == 200


def erase(office: Office) -> None:
    talk = office.rows["conversations/conversation"]
    assert isinstance(talk, Conversation)
    data = {"tenant": office.ours.pk, "person": talk.external_id, "confirmed": "on"}
    assert office.owner.post("/admin/privacy/erasure/add/", data).status_code == 302


def admin_token(office: Office) -> None:
    data = {"action": "generate_admin_token", "_selected_action": [office.people["owner"].pk]}
    assert office.root.post("/admin/auth/user/", data).status_code == 200


def change_password(office: Office) -> None:
    data = {"old_password": PASSWORD, "new_password1": f"{PASSWORD} 2", "new_password2": f"{PASSWORD} 2"}
    assert office.owner.post("/admin/password_change/", data).status_code == 302


def with_key(method: str, path: str, data: Any = None) -> Callable[[Office], object]:
    def do(office: Office) -> None:
        where = path.format(**{name.replace("/", "_"): row.pk for name, row in office.rows.items()})
        answer = getattr(office.key, method)(where, data) if data is not None else getattr(office.key, method)(where)
        assert answer.status_code < 300, answer.content

    return do


def with_token(method: str, path: str, data: Any) -> Callable[[Office], object]:
    def do(office: Office) -> None:
        where = path.format(**{name.replace("/", "_"): row.pk for name, row in office.rows.items()})
        answer = getattr(office.token, method)(f"/api/admin/{where}", data, content_type="application/json")
        assert answer.status_code < 300, answer.content

    return do


def change_business(**changes: Any) -> Callable[[Office], object]:
    return lambda office: office.form(office.root, office.page("tenants/tenant"), **changes)


def press_business(button: str) -> Callable[[Office], object]:
    return lambda office: office.root.post(f"/admin/tenants/tenant/{office.ours.pk}/{button}/")
