"""The list of your sessions, and ending them."""

import pytest
from allauth.usersessions.models import UserSession
from django.contrib.auth.models import User
from django.test import Client

from accounts.devices import device
from accounts.middleware import NOTED_EVERY
from accounts.tests.signing_in import HTML, PASSWORD, is_in, sign_in
from tenants.tests.people import person

pytestmark = pytest.mark.django_db
SESSIONS = "/account/sessions/"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"
PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 Version/19.0 Safari/604.1"


def browser(user: User, agent: str, address: str) -> Client:
    return sign_in(user, client=Client(headers={"User-Agent": agent}, REMOTE_ADDR=address))


def test_they_are_listed_with_device_address_and_time(ann: User) -> None:
    here, there = browser(ann, FIREFOX, "192.0.2.1"), browser(ann, PHONE, "2001:db8:1:2:3::4")
    assert is_in(there)
    page = here.get(SESSIONS).content.decode()
    assert page.index("Firefox on Linux") < page.index("This session") < page.index("Safari on iPhone")
    assert "192.0.2.1" in page
    assert "2001:db8:1:2::" in page
    assert "last seen" in page


def test_one_can_be_ended(ann: User) -> None:
    here, there, elsewhere = (browser(ann, FIREFOX, f"192.0.2.{number}") for number in range(3))
    assert here.post(SESSIONS, {"end": UserSession.objects.get(ip="192.0.2.1").pk}).status_code == 302
    assert [is_in(each) for each in (here, there, elsewhere)] == [True, False, True]


def test_all_others_can_be_ended(ann: User) -> None:
    here, there, elsewhere = (browser(ann, FIREFOX, f"192.0.2.{number}") for number in range(3))
    here.post(SESSIONS, {"end": "others"})
    assert [is_in(each) for each in (here, there, elsewhere)] == [True, False, False]
    assert "End all other sessions" not in here.get(SESSIONS).content.decode()


def test_no_one_ends_someone_elses(ann: User) -> None:
    there = browser(ann, FIREFOX, "192.0.2.1")
    stranger = Client()
    stranger.force_login(person("stranger"))
    theirs = UserSession.objects.get(user=ann).pk
    assert stranger.post(SESSIONS, {"end": theirs}).status_code == 404
    assert [stranger.post(SESSIONS, {"end": end}).status_code for end in ("", "x", "²", "9" * 30)] == [404] * 4
    stranger.post(SESSIONS, {"end": "others"})
    assert is_in(there)
    assert Client().post(SESSIONS, {"end": theirs}).headers["Location"].startswith("/admin/login/")


def test_changing_the_password_ends_the_others(ann: User) -> None:
    here, there = browser(ann, FIREFOX, "192.0.2.1"), browser(ann, PHONE, "192.0.2.2")
    new = "an even longer and quieter road"
    data = {"old_password": PASSWORD, "new_password1": new, "new_password2": new}
    assert here.post("/admin/password_change/", data).status_code == 302
    assert [is_in(here), is_in(there)] == [True, False]
    assert [row["is_this"] for row in here.get(SESSIONS).context["sessions"]] == [True]


def test_the_password_is_changed_only_by_someone_who_signed_in_recently(ann: User) -> None:
    late = Client()
    late.force_login(ann)
    asked = late.post("/admin/password_change/", {"old_password": PASSWORD})
    assert asked.headers["Location"] == "/account/confirm/?next=/admin/password_change/"
    sent_on = late.post(asked.headers["Location"], {"password": PASSWORD})
    assert sent_on.headers["Location"] == "/admin/password_change/"
    assert late.get("/admin/password_change/").status_code == 200


def test_when_it_was_last_seen_is_written_every_few_minutes(
    ann: User, monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: object
) -> None:
    """Not with every request."""
    client = browser(ann, FIREFOX, "192.0.2.1")
    assert is_in(client)
    first = UserSession.objects.get().last_seen_at
    assert is_in(client)
    assert UserSession.objects.get().last_seen_at == first
    session = client.session
    session["noted"] = {**session["noted"], "at": session["noted"]["at"] - NOTED_EVERY - 1}
    session.save()
    assert client.get("/admin/", headers=HTML).status_code == 200
    assert UserSession.objects.get().last_seen_at > first


@pytest.mark.parametrize(
    ("agent", "shown"),
    [
        (FIREFOX, "Firefox on Linux"),
        (PHONE, "Safari on iPhone"),
        ("Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/143.0 Safari/537.36 Edg/143.0", "Edge on Windows"),
        ("Mozilla/5.0 (Linux; Android 16) AppleWebKit/537.36 Chrome/143.0 Mobile Safari/537.36", "Chrome on Android"),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 Safari/605.1.15", "Safari on macOS"),
        ("curl/8.5", "Unknown device"),
        ("", "Unknown device"),
    ],
)
def test_a_browser_is_named_in_words(agent: str, shown: str) -> None:
    assert device(agent) == shown
