"""Twenty planted secrets are nowhere in clear text: not in logs, errors, pages, exports, cookies, jobs or other rows.

Whatever holds a secret is made to fail in a way that could quote it: the model and Graph repeat the key that they
refuse, forms are sent with a mistake, the database is gone, and a page crashes with a secret at hand.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx2
import pytest
from django.contrib import admin
from django.core.exceptions import ImproperlyConfigured
from django.db import connection
from django.test import Client
from django.urls import reverse

from api.tests.clients import ApiClient, api_client
from assistant.models import Assistant, Turn
from config.media_storage import media_storage
from config.proxies import outgoing_proxies
from leads.admin import LeadAdmin
from tenants.tests.people import TwoBusinesses
from tests.both_businesses import rows_of
from tests.stage import Stage
from webhooks.models import WebhookEndpoint
from webhooks.tests.receiver import receiving
from whatsapp.models import WhatsAppAccount
from whatsapp.tests.factories import PHONE_NUMBER_ID, inbound, text_message

SECRETS = {
    "secret key": "planted-secret-key-0123456789-abcdefghijklmnop",
    "encryption key": "cGxhbnRlZC1maWVsZC1lbmNyeXB0aW9uLWtleS0wMDE=",
    "app secret": "planted-app-secret-of-the-installation",
    "older app secret": "planted-app-secret-before-the-rotation",
    "access token": "EAAplantedTokenOfTheInstallation",
    "model key": "sk-planted-key-of-the-installation",
    "account's token": "EAAplantedTokenOfOurAccount",
    "account's new token": "EAAplantedTokenThatIsTypedInAForm",
    "account's app secret": "planted-app-secret-of-our-account",
    "assistant's key": "planted-key-of-our-assistant",
    "assistant's new key": "planted-key-that-is-typed-in-a-form",
    "neighbour's token": "EAAplantedTokenOfTheNeighbour",
    "neighbour's key": "planted-key-of-the-neighbour",
    "webhook's secret": "whsec_cGxhbnRlZC1zZWNyZXQtb2YtYS13ZWJob29r",
    "password": "planted-password-of-the-owner",
    "proxy's password": "planted-password-of-the-proxy",
    "storage's secret": "planted-secret-of-the-storage",
    "database's password": "planted-password-of-the-database",
}
# Tables that exist to hold what identifies someone.
NOT_SEARCHED = {"django_session", "authtoken_token"}


@dataclass
class Search:
    """The texts that were seen, and the secrets in them."""

    secrets: dict[str, str] = field(default_factory=lambda: dict(SECRETS))
    seen: list[tuple[str, str]] = field(default_factory=list)

    def look(self, where: str, response: Any) -> Any:
        body = (response.getvalue() if response.streaming else response.content).decode(errors="replace")
        self.seen.append((where, f"{response.headers} {response.cookies.output()} {body}"))
        return response

    def look_at_the_database(self) -> None:
        with connection.cursor() as cursor:
            for table in sorted(set(connection.introspection.table_names()) - NOT_SEARCHED):
                cursor.execute(f'SELECT string_agg(found::text, chr(10)) FROM "{table}" AS found')
                self.seen.append((f"the table {table}", cursor.fetchone()[0] or ""))

    @property
    def found(self) -> list[str]:
        return sorted(
            {f"{name} in {where}" for where, text in self.seen for name in self.secrets if self.secrets[name] in text}
        )


@pytest.fixture
def search(stage: Stage, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Search:
    settings.MULTITENANT_ENABLED = settings.AXES_ENABLED = settings.WEBHOOKS_ALLOW_PRIVATE = True
    settings.SECRET_KEY, settings.FIELD_ENCRYPTION_KEYS = SECRETS["secret key"], [SECRETS["encryption key"]]
    settings.WHATSAPP_APP_SECRETS = [SECRETS["app secret"], SECRETS["older app secret"]]
    settings.WHATSAPP_ACCESS_TOKEN, settings.OPENAI_API_KEY = SECRETS["access token"], SECRETS["model key"]
    monkeypatch.setenv("HTTPS_PROXY", "socks5://user:{}@proxy.test".format(SECRETS["proxy's password"]))
    stage.network.graph = stage.network.model = refused
    return Search()


def refused(request: httpx2.Request) -> httpx2.Response:
    """As services do that quote the key."""
    said = f"The key {request.headers.get('Authorization')} isn't valid."
    return httpx2.Response(401, json={"error": {"message": said, "code": 190, "type": "OAuthException"}})


def test_no_secret_is_in_clear_text(
    search: Search, stage: Stage, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    businesses = TwoBusinesses()
    owner = businesses.people["owner"]
    owner.set_password(SECRETS["password"])
    owner.save()
    rows = rows_of(businesses.ours, "Ours")
    plant(businesses)
    key = api_client(businesses.ours, owner)
    search.secrets["API key"] = key.token
    search.secrets["neighbour's API key"] = api_client(businesses.theirs, businesses.people["stranger"]).token

    with receiving() as receiver:
        receiver.codes = [500] * 9
        WebhookEndpoint.objects.update(url=receiver.url, secret=SECRETS["webhook's secret"])
        stage.post(inbound(text_message("Hello")), secret=SECRETS["account's app secret"])
        stage.post(inbound(text_message("Hello")), secret=SECRETS["neighbour's key"])  # refused
        search.look_at_the_database()  # with the jobs
        stage.work()
    assert "isn't valid" in Turn.objects.latest("pk").error
    for who in ("owner", "viewer", "superuser"):
        walk(search, who, businesses.browser(who), rows)
    send_forms(search, businesses.browser("owner"), key, rows)
    crash(search, businesses.browser("owner"), monkeypatch)
    search.seen.append(("an error", configuration_errors()))
    search.look_at_the_database()
    search.seen.append(("the log", caplog.text))
    assert len(search.secrets) == 20
    assert len(search.seen) > 200
    assert search.found == []


def plant(businesses: TwoBusinesses) -> None:
    WhatsAppAccount.objects.filter(tenant=businesses.ours).update(
        phone_number_id=PHONE_NUMBER_ID,
        access_token=SECRETS["account's token"],
        app_secret=SECRETS["account's app secret"],
    )
    Assistant.objects.filter(tenant=businesses.ours).update(api_key=SECRETS["assistant's key"])
    WhatsAppAccount.objects.create(
        tenant=businesses.theirs, phone_number_id="9", access_token=SECRETS["neighbour's token"]
    )
    Assistant.objects.create(tenant=businesses.theirs, api_key=SECRETS["neighbour's key"])


def walk(search: Search, who: str, client: Client, rows: dict[str, Any]) -> None:
    """All lists, rows, buttons that call a service, and exports."""
    for model in admin.site._registry:
        name = f"{model._meta.app_label}/{model._meta.model_name}"
        of_a_row = [f"{rows[name].pk}/{page}/" for page in ("change", "history", "delete")] if name in rows else []
        for end in ("", "add/", *of_a_row):
            search.look(f"{who}: {name}/{end}", client.get(f"/admin/{name}/{end}"))
    account, assistant = rows["whatsapp/whatsappaccount"].pk, rows["assistant/assistant"].pk
    talk = rows["conversations/conversation"].pk
    for address in (
        f"/admin/whatsapp/whatsappaccount/{account}/test-connection/",
        f"/admin/assistant/assistant/{assistant}/test-prompt/",
    ):
        search.look(f"{who}: {address}", client.post(address, {"question": "Hello"}, follow=True))
    search.look(f"{who}: templates", client.get(f"/admin/conversations/conversation/{talk}/template/", follow=True))
    for action in ("export_csv", "export_excel"):
        chosen = {"action": action, "_selected_action": [rows["leads/lead"].pk]}
        search.look(f"{who}: {action}", client.post("/admin/leads/lead/", chosen))


def send_forms(search: Search, browser: Client, key: ApiClient, rows: dict[str, Any]) -> None:
    """With secrets, first with a mistake in another field; and a login with a wrong name."""
    account, assistant = rows["whatsapp/whatsappaccount"], rows["assistant/assistant"]
    for number in ("", PHONE_NUMBER_ID):
        form = {"tenant": account.tenant_id, "phone_number_id": number, "access_token": SECRETS["account's new token"]}
        url = reverse("admin:whatsapp_whatsappaccount_change", args=[account.pk])
        search.look("the account's form", browser.post(url, form, follow=True))
    for limit in (-1, 20):
        form = {"api_key": SECRETS["assistant's new key"], "history_limit": limit, "max_output_tokens": 800}
        url = reverse("admin:assistant_assistant_change", args=[assistant.pk])
        data = {**form, "tenant": assistant.tenant_id, "instructions": "x"}
        search.look("the assistant's form", browser.post(url, data, follow=True))
        search.look("the API", key.patch("assistant", form))
    for path in ("key", "assistant", "usage", "conversations", "leads"):
        search.look(f"the API: {path}", key.get(path))
    login = {"username": "someone", "password": SECRETS["password"]}
    search.look("the login", Client().post("/admin/login/", login))


def crash(search: Search, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page that fails while it handles a secret, and a database that's gone."""

    def fail(self: object, request: object) -> None:
        key = Assistant.objects.get(api_key__isnull=False, tenant__slug="ours").api_key
        raise RuntimeError(f"of {len(key)} characters")

    client.raise_request_exception = False
    with monkeypatch.context() as patch:
        patch.setattr(LeadAdmin, "get_queryset", fail)
        assert search.look("a crash", client.get("/admin/leads/lead/")).status_code == 500
    with monkeypatch.context() as patch:
        connection.close()
        for name, value in (("NAME", "missing"), ("PASSWORD", SECRETS["database's password"])):
            patch.setitem(connection.settings_dict, name, value)
        assert search.look("readyz", client.get("/readyz")).status_code == 503
        connection.close()


def configuration_errors() -> str:
    """What is printed for settings that can't be used."""
    texts = []
    attempts: list[Callable[[], object]] = [
        outgoing_proxies,
        lambda: media_storage("s4://key:{}@bucket".format(SECRETS["storage's secret"])),
    ]
    for attempt in attempts:
        with pytest.raises(ImproperlyConfigured) as caught:
            attempt()
        texts.append(f"{caught.value!r} {caught.value}")
    return " ".join(texts)


def test_a_secret_would_be_found(search: Search, caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger("leak").warning("refused %s", SECRETS["access token"])
    search.seen.append(("the log", caplog.text))
    WhatsAppAccount.objects.create(tenant=TwoBusinesses().ours, phone_number_id="1", waba_id=SECRETS["model key"])
    search.look_at_the_database()
    assert search.found == ["access token in the log", "model key in the table whatsapp_accounts"]
