"""Notifications by email: at once and daily, through a real mail server that may be down."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.db.models.functions import Now
from procrastinate.contrib.django.models import ProcrastinateJob

from notifications import delivering, incidents, telling
from notifications.choices import Kind, State
from notifications.models import NotificationDelivery
from notifications.tests.line import happen, prefers, told
from notifications.tests.outside import MailServer, mail_server
from tenants.models import Membership
from tenants.tests.people import TwoBusinesses
from tests.faults.processes import free_port
from tests.stage import Stage


@pytest.fixture
def mail(settings: Any) -> Iterator[MailServer]:
    with mail_server() as server:
        use(settings, server.port)
        yield server


def use(settings: Any, port: int) -> None:
    settings.EMAIL_URL = f"smtp://127.0.0.1:{port}"
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", port


def emails() -> list[NotificationDelivery]:
    return list(NotificationDelivery.objects.filter(channel="email").order_by("pk"))


def test_an_email_says_what_happened_and_links_to_it(
    stage: Stage, team: TwoBusinesses, mail: MailServer, settings: Any
) -> None:
    settings.PUBLIC_URL = "https://parley.example.com"
    happen(team.ours, text="Asked for a person. Wants a refund.")
    stage.work()
    (email,) = mail.emails
    assert email["To"] == "our-operator@example.test"
    assert email["Subject"] == "[Business ours] handover of conversation:1"
    body = email.get_content()
    assert "Asked for a person. Wants a refund." in body
    assert "https://parley.example.com/admin/" in body
    (sent,) = emails()
    assert (sent.state, sent.attempts, sent.error) == (State.SENT, 1, "")
    assert sent.sent_at is not None
    stage.work()
    assert len(mail.emails) == 1


def test_no_job_is_needed_to_find_what_is_due(stage: Stage, team: TwoBusinesses, mail: MailServer) -> None:
    happen(team.ours)
    ProcrastinateJob.objects.all()._raw_delete("default")  # as if the worker had died
    telling.tell_due()
    ProcrastinateJob.objects.all()._raw_delete("default")
    assert telling.BACKLOG.find_due() == 1
    stage.work()
    assert len(mail.emails) == 1


def test_an_email_that_is_sent_again_after_a_crash_has_the_same_id(
    stage: Stage, team: TwoBusinesses, mail: MailServer
) -> None:
    happen(team.ours)
    stage.work()
    # The process died after the mail server accepted it, and the lease has expired.
    NotificationDelivery.objects.update(state=State.WAITING, sent_at=None, next_attempt_at=Now())
    assert telling.BACKLOG.find_due() == 1
    stage.work()
    first, second = mail.emails
    assert first["Message-ID"] == second["Message-ID"]


def test_while_the_mail_server_is_down_it_is_tried_again_and_the_log_says_why(
    stage: Stage, team: TwoBusinesses, settings: Any
) -> None:
    settings.RETRY_TIME_SCALE = 1
    port = free_port()
    use(settings, port)
    happen(team.ours)
    stage.work()
    (waiting,) = emails()
    assert (waiting.state, waiting.attempts) == (State.WAITING, 1)
    assert "No connection to the mail server" in waiting.error
    page = team.browser("owner").get("/admin/notifications/notificationdelivery/")
    assert "No connection to the mail server" in page.content.decode()
    with mail_server(port) as mail:
        NotificationDelivery.objects.update(next_attempt_at=Now())
        telling.BACKLOG.find_due()
        stage.work()
        assert len(mail.emails) == 1
    (sent,) = emails()
    assert (sent.state, sent.error) == (State.SENT, "")


def test_it_is_given_up_after_the_last_attempt(stage: Stage, team: TwoBusinesses, settings: Any) -> None:
    use(settings, free_port())
    happen(team.ours)
    for _ in range(len(delivering.WAITS) + 2):
        telling.BACKLOG.find_due()
        stage.work()
    (failed,) = emails()
    assert (failed.state, failed.attempts) == (State.FAILED, len(delivering.WAITS) + 1)


@pytest.mark.parametrize(("answer", "state"), [("550 no such user", State.FAILED), ("450 try later", State.WAITING)])
def test_what_the_mail_server_refuses(
    stage: Stage, team: TwoBusinesses, mail: MailServer, settings: Any, answer: str, state: str
) -> None:
    settings.RETRY_TIME_SCALE = 1
    mail.answers = [answer]
    happen(team.ours)
    stage.work()
    (refused,) = emails()
    assert refused.state == state
    assert f"The mail server refused the address: {answer}" in refused.error


def test_what_is_over_is_not_sent(stage: Stage, team: TwoBusinesses, mail: MailServer) -> None:
    happen(team.ours)
    telling.tell_due()
    incidents.close(["conversation:1"], [Kind.HANDOVER])
    stage.work()
    assert mail.emails == []
    assert [each.state for each in emails()] == [State.CANCELLED]


def test_someone_who_has_left_gets_nothing_more(stage: Stage, team: TwoBusinesses, mail: MailServer) -> None:
    happen(team.ours)
    telling.tell_due()
    Membership.objects.filter(user=team.people["operator"]).delete()
    stage.work()
    assert mail.emails == []


def test_without_a_mail_server_or_an_address_there_is_no_email(
    stage: Stage, team: TwoBusinesses, mail: MailServer, settings: Any
) -> None:
    team.people["operator"].email = ""
    team.people["operator"].save()
    happen(team.ours)
    settings.EMAIL_URL = ""
    happen(team.ours, subject="conversation:2")
    stage.work()
    assert told("email") == []
    assert told() == ["our-operator"] * 2


# --- the daily email ---


def the_day_goes_by() -> None:
    NotificationDelivery.objects.filter(channel="digest").update(next_attempt_at=Now())
    while telling.collect_digests():
        pass


def test_what_is_less_important_comes_in_one_daily_email(stage: Stage, team: TwoBusinesses, mail: MailServer) -> None:
    for number in (1, 2):
        happen(team.ours, Kind.FAILED, f"conversation:{number}")
    stage.work()
    incidents.close(["conversation:2"], [Kind.FAILED])
    assert telling.collect_digests() == 0  # it isn't time yet
    assert mail.emails == []
    the_day_goes_by()
    stage.work()
    the_day_goes_by()
    stage.work()
    (email,) = mail.emails
    assert email["Subject"] == "[Business ours] 2 notifications"
    body = email.get_content()
    assert "failed of conversation:1" in body
    assert "failed of conversation:2, no longer open" in body
    assert set(NotificationDelivery.objects.filter(channel="digest").values_list("state", flat=True)) == {State.SENT}


def test_a_daily_email_that_fails_says_so_for_each(stage: Stage, team: TwoBusinesses, mail: MailServer) -> None:
    happen(team.ours, Kind.FAILED)
    stage.work()
    the_day_goes_by()
    mail.answers = ["550 no such user"]
    stage.work()
    (collected,) = NotificationDelivery.objects.filter(channel="digest")
    assert (collected.state, "550" in collected.error) == (State.FAILED, True)


def test_everyone_decides_what_is_important(stage: Stage, team: TwoBusinesses, mail: MailServer) -> None:
    prefers(team.people["operator"], email_kinds=[Kind.FAILED], digest_kinds=[Kind.HANDOVER])
    happen(team.ours)
    happen(team.ours, Kind.FAILED)
    stage.work()
    assert [email["Subject"] for email in mail.emails] == ["[Business ours] failed of conversation:1"]
    assert told("digest") == ["our-operator"]
