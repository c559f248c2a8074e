"""A new password by email."""

import re
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core import mail
from django.test import Client

from tenants.password_reset.resetting import AN_HOUR
from tenants.tests.people import person
from tests.stage import Stage

ASK = "/admin/password-reset/"
PASSWORD = "a-new-password-42"


@pytest.fixture
def known(stage: Stage, settings: Any) -> User:
    settings.EMAIL_URL = "smtp://mail.test"
    user = person("known")
    user.set_password("forgotten-password-1")
    user.save()
    return user


def ask(stage: Stage, address: str) -> str:
    page = Client().post(ASK, {"email": address}, follow=True).content.decode()
    stage.work()
    return page


def link() -> str:
    found = re.search(r"http://localhost:\d+(/admin/password-reset/\S+)", str(mail.outbox[-1].body))
    assert found
    return found[1]


def set_password(address: str) -> str:
    client = Client()
    form = client.get(address, follow=True)
    if not form.redirect_chain:
        return form.content.decode()
    passwords = {"new_password1": PASSWORD, "new_password2": PASSWORD}
    return client.post(form.redirect_chain[-1][0], passwords, follow=True).content.decode()


def test_the_link_sets_a_new_password_once(stage: Stage, known: User) -> None:
    ask(stage, " Known@example.test ")
    assert mail.outbox[0].to == [known.email]
    assert "Your new password is set." in set_password(link())
    assert Client().login(username="known", password=PASSWORD)
    assert "This link has expired or was already used." in set_password(link())


def test_the_answer_does_not_reveal_who_has_an_account(stage: Stage, known: User) -> None:
    pages = [re.sub("csrf.*?>", "", ask(stage, address)) for address in (known.email, "nobody@nowhere.test")]
    assert "If an account has this address" in pages[0].replace("&#x27;", "'")
    assert len(mail.outbox) == 1
    assert "nobody" not in pages[1]


@pytest.mark.parametrize("columns", [{"is_active": False}, {"email": ""}, {"password": "!"}])
def test_who_cannot_sign_in_or_has_no_confirmed_address_gets_no_link(
    stage: Stage, known: User, columns: dict[str, Any]
) -> None:
    User.objects.filter(pk=known.pk).update(**columns)
    ask(stage, "known@example.test")
    assert mail.outbox == []


def test_nobody_is_flooded_with_emails(stage: Stage, known: User) -> None:
    for _ in range(AN_HOUR + 2):
        ask(stage, known.email)
    assert len(mail.outbox) == AN_HOUR


def test_without_a_mail_server_the_page_says_whom_to_ask(stage: Stage, known: User, settings: Any) -> None:
    settings.EMAIL_URL = ""
    assert "Email isn’t set up on this installation." in Client().get(ASK).content.decode()
    ask(stage, known.email)
    assert mail.outbox == []


def test_the_login_page_leads_there(stage: Stage, known: User) -> None:
    assert f'href="{ASK}"' in Client().get("/admin/login/").content.decode()
