"""A role that requires two factors can't be used without them: no page, file, poll, form or command."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyotp
import pytest
from allauth.mfa.models import Authenticator
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.management import CommandError, call_command
from django.test import Client

from accounts.tests.signing_in import FACTORS, HTML, app_of, enter, is_in, recovery_codes_of, require, sign_in
from accounts.tests.signing_in import ann as ann
from accounts.tests.signing_in import ours as ours
from accounts.tests.signing_in import with_password as signed_up
from api.tests.clients import issue_key, staff_client
from conversations.files.attachments import Attachment, stored_name
from conversations.models import Conversation
from conversations.tests.rows import conversation, message
from tenants.models import MemberRole, Membership, SignInRules, Tenant
from tenants.tests.people import browser_of, person, superuser, tenant

pytestmark = pytest.mark.django_db
SET_UP = f"{FACTORS}totp/activate/"


@pytest.fixture
def talk(ours: Tenant, settings: Any, tmp_path: Path) -> Conversation:
    settings.MEDIA_ROOT = str(tmp_path)
    return conversation(ours)


@pytest.fixture
def file(talk: Conversation) -> Attachment:
    stored = default_storage.save(stored_name("image/jpeg"), ContentFile(b"0123456789"))
    return Attachment.objects.create(
        message=message(talk, "[image]", kind="image"), kind="image", mime_type="image/jpeg", file=stored, state="ready"
    )


Ask = Callable[[Client, Conversation, Attachment], Any]
DESK = "/admin/conversations/conversation/"
ASKED: dict[str, Ask] = {
    "dashboard": lambda client, talk, file: client.get("/admin/"),
    "inbox": lambda client, talk, file: client.get(DESK),
    "transcript": lambda client, talk, file: client.get(f"{DESK}{talk.pk}/change/"),
    "poll": lambda client, talk, file: client.get(f"{DESK}{talk.pk}/live/"),
    "poll of the list": lambda client, talk, file: client.get(f"{DESK}live/"),
    "file": lambda client, talk, file: client.get(f"{DESK}{talk.pk}/attachments/{file.pk}/"),
    "reply": lambda client, talk, file: client.post(f"{DESK}{talk.pk}/reply/", {"text": "Hello"}),
    "take over": lambda client, talk, file: client.post(f"{DESK}{talk.pk}/take-over/"),
    "settings": lambda client, talk, file: client.get("/admin/tenants/signinrules/"),
    "search": lambda client, talk, file: client.get("/admin/search/?s=Ann"),
    "choices": lambda client, talk, file: client.get("/admin/autocomplete/"),
    "sessions": lambda client, talk, file: client.get("/account/sessions/"),
    "password": lambda client, talk, file: client.get("/admin/password_change/"),
    "invitation": lambda client, talk, file: client.post("/invitations/1/", {"answer": "accept"}),
}


@pytest.mark.parametrize("what", ASKED)
def test_nothing_answers_until_it_is_set_up(
    ours: Tenant, ann: User, talk: Conversation, file: Attachment, what: str
) -> None:
    require(ours, MemberRole.OWNER)
    client = browser_of(ann)
    answer = ASKED[what](client, talk, file)
    assert (answer.status_code, answer.json()) == (
        403,
        {"detail": "Your role requires two-factor authentication. Set it up to continue."},
    )
    assert not talk.messages.exclude(kind="image").exists()
    require(ours)
    allowed = ASKED[what](browser_of(ann), talk, file)
    allowed.close()
    assert b"two-factor authentication. Set it up" not in getattr(allowed, "content", b"")


@pytest.mark.django_db(transaction=True)
def test_a_browser_is_led_to_where_it_is_set_up_and_goes_on_from_there(ours: Tenant, ann: User) -> None:
    require(ours, MemberRole.OWNER)
    client = sign_in(ann)
    shown = client.get("/admin/", headers=HTML, follow=True)
    assert shown.redirect_chain == [(FACTORS, 302)]
    assert "Your role requires two-factor authentication" in shown.content.decode()
    code = app_code(client)
    assert client.post(SET_UP, {"code": code}).status_code == 302
    assert is_in(client)


def app_code(client: Client) -> str:
    """The code of an app that has scanned the page's QR code."""
    return pyotp.TOTP(client.get(SET_UP).context["form"].secret).now()


def test_signing_out_stays_possible(ours: Tenant, ann: User) -> None:
    require(ours, MemberRole.OWNER)
    client = browser_of(ann)
    assert client.post("/admin/logout/").status_code == 200
    assert "_auth_user_id" not in client.session


def test_a_session_from_before_the_factor_has_to_use_it(ours: Tenant, ann: User) -> None:
    """Someone else may have opened it with the password alone."""
    require(ours, MemberRole.OWNER)
    client = browser_of(ann)
    app = app_of(ann)
    asked = client.get("/admin/", headers=HTML)
    assert asked.headers["Location"] == "/account/two-factor/reauthenticate/?next=/admin/"
    assert client.post(asked.headers["Location"], {"code": "no code"}).status_code == 200
    assert not is_in(client)
    client.post(asked.headers["Location"], {"code": app.now()})
    assert is_in(client)


def test_a_recovery_code_is_a_second_factor(ours: Tenant, ann: User) -> None:
    require(ours, MemberRole.OWNER)
    app_of(ann)
    codes = recovery_codes_of(ann)
    client = sign_in(ann)
    assert enter(client, codes[0])
    assert is_in(client)


def test_removing_the_last_factor_closes_everything_at_once(ours: Tenant, ann: User) -> None:
    require(ours, MemberRole.OWNER)
    app = app_of(ann)
    client = sign_in(ann)
    assert enter(client, app.now())
    assert client.post(f"{FACTORS}totp/deactivate/").status_code == 302
    assert not Authenticator.objects.exists()
    assert not is_in(client)


@pytest.mark.parametrize("role", MemberRole)
def test_each_business_decides_for_each_role(ours: Tenant, role: MemberRole) -> None:
    tenant("theirs")
    bo, stranger = person("bo", ours=role), person("stranger", theirs=role)
    require(ours, *(other for other in MemberRole if other != role))
    assert is_in(browser_of(bo))
    require(ours, role)
    assert not is_in(browser_of(bo))
    assert is_in(browser_of(stranger))
    # A session isn't tied to a business: whoever works for both follows the stricter one.
    Membership.objects.create(user=stranger, tenant=ours, role=role)
    assert not is_in(browser_of(stranger))
    Tenant.objects.filter(pk=ours.pk).update(is_active=False)
    assert is_in(browser_of(stranger))


def test_superusers_need_it_if_the_installation_says_so(ours: Tenant, settings: Any) -> None:
    require(ours, *MemberRole)
    root = superuser()
    assert is_in(browser_of(root))
    settings.SUPERUSERS_NEED_TWO_FACTORS = True
    assert not is_in(browser_of(root))
    settings.SUPERUSERS_NEED_TWO_FACTORS = False
    Membership.objects.create(user=root, tenant=ours, role=MemberRole.OWNER)
    assert not is_in(browser_of(root))


def test_api_keys_and_admin_tokens_are_not_affected(ours: Tenant, ann: User, settings: Any) -> None:
    require(ours, MemberRole.OWNER)
    _, token = issue_key(ann, ours, "key")
    for client in (Client(), browser_of(ann)):
        assert client.get("/api/key", headers={"Authorization": f"Bearer {token}"}).status_code == 200
    assert staff_client(ann).get("/api/admin/tenants").status_code == 200


def test_a_session_is_no_way_into_the_api(ours: Tenant, ann: User) -> None:
    """So the API needs no rule of its own."""
    require(ours, MemberRole.OWNER)
    client = browser_of(ann)
    assert [client.get(f"/api/{path}").status_code for path in ("key", "leads", "admin/tenants")] == [401] * 3


def test_an_authorization_header_opens_no_page(ours: Tenant, ann: User) -> None:
    require(ours, MemberRole.OWNER)
    _, token = issue_key(ann, ours, "key")
    assert browser_of(ann).get("/admin/", headers={"Authorization": f"Bearer {token}"}).status_code == 403


def test_owners_set_the_rules_of_their_own_business(ours: Tenant, ann: User) -> None:
    theirs = tenant("theirs")
    add = "/admin/tenants/signinrules/add/"
    for business, added in ((theirs, False), (ours, True)):
        browser_of(ann).post(add, {"tenant": business.pk, "two_factor_roles": ["owner", "viewer"]})
        assert SignInRules.objects.filter(tenant=business).exists() == added
    assert SignInRules.objects.get().two_factor_roles == ["owner", "viewer"]
    assert browser_of(ann).get(add).status_code == 403  # and it applies to herself


def test_only_a_superuser_resets_a_lost_factor(ours: Tenant, ann: User) -> None:
    """An owner must not be able to weaken the account of someone who also works for another business."""
    bo = signed_up(person("bo", ours=MemberRole.VIEWER))
    app = app_of(bo)
    theirs = sign_in(bo)
    assert enter(theirs, app.now())
    reset = {"action": "reset_two_factor", "_selected_action": [bo.pk]}
    browser_of(ann).post("/admin/auth/user/", reset)
    assert Authenticator.objects.count() == 1
    root = superuser()
    late = Client()
    late.force_login(root)
    assert late.post("/admin/auth/user/", reset).headers["Location"].startswith("/account/sign-in-again/")
    assert Authenticator.objects.count() == 1
    browser_of(root).post("/admin/auth/user/", reset)
    assert Authenticator.objects.count() == 0
    assert not is_in(theirs)
    assert is_in(sign_in(bo))


def test_a_command_resets_the_factor_of_the_last_superuser(ours: Tenant) -> None:
    root = signed_up(superuser())
    app_of(root)
    call_command("reset_two_factor", "root")
    assert is_in(sign_in(root))
    with pytest.raises(CommandError, match="no user named nobody"):
        call_command("reset_two_factor", "nobody")


@pytest.mark.parametrize("page", ["change/", "password/"])
def test_a_superuser_changes_accounts_only_after_signing_in_recently(ours: Tenant, ann: User, page: str) -> None:
    root = signed_up(superuser())
    late = Client()
    late.force_login(root)
    address = f"/admin/auth/user/{ann.pk}/{page}"
    assert late.get(address).headers["Location"].startswith("/account/confirm/")
    assert late.post(address, {"email": "x@example.test"}).headers["Location"].startswith("/account/confirm/")
    assert browser_of(root).get(address).status_code == 200
