"""Checks of the services that Parley talks to: Meta, each number, the models, and its own public URL."""

import asyncio
import email.utils
import secrets
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from itertools import islice
from typing import TypeVar

from asgiref.sync import async_to_sync
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db.models import Q

from assistant.model import transport
from assistant.model.client import usable_key
from assistant.model.errors import ModelFailed
from assistant.models import Assistant
from runtime import http
from runtime.untrusted_json import as_dict, as_list, as_text, one_line
from tenants.models import Tenant
from whatsapp.graph import client, connection_check
from whatsapp.graph.connection_check import Finding as Answer
from whatsapp.graph.standing import callback_url, standing
from whatsapp.models import WhatsAppAccount

from .findings import Finding, Level, error, ok, warning

SECONDS = 10  # for one request
MOST = 200  # numbers or endpoints that are asked
AT_ONCE = 10
CLOCK_SECONDS = 30
T = TypeVar("T")


def _all(ask: Callable[[T], Awaitable[list[Finding]]], of: Iterable[T]) -> list[Finding]:
    async def gather() -> list[Finding]:
        slots = asyncio.Semaphore(AT_ONCE)

        async def one(each: T) -> list[Finding]:
            async with slots:
                return await ask(each)

        async with http.keep_connections():
            found = await asyncio.gather(*map(one, of))
        return [finding for findings in found for finding in findings]

    return async_to_sync(gather)()


def meta() -> Iterator[Finding]:
    """Whether Graph answers at all, and whether our clock agrees with Meta's."""
    if not settings.WHATSAPP_ENABLED:
        return
    try:
        answer = async_to_sync(http.request)("GET", settings.WHATSAPP_GRAPH_URL, seconds=SECONDS)
    except http.RequestFailed as failure:
        yield error(
            f"Meta's Graph API can't be reached: {failure.detail}.",
            f"Allow this machine to connect to {settings.WHATSAPP_GRAPH_URL}: check DNS, the firewall and the proxy.",
        )
        return
    yield ok("Meta's Graph API can be reached.")
    try:
        theirs = email.utils.parsedate_to_datetime(answer.headers["Date"]).timestamp()
    except (KeyError, ValueError):
        return
    difference = abs(theirs - time.time())
    if difference > CLOCK_SECONDS:
        yield warning(
            f"This machine's clock and Meta's differ by {difference:.0f} s.", "Set up time synchronization (NTP)."
        )


def callback() -> Iterator[Finding]:
    """Meta's handshake, from here to our public URL and back."""
    if not settings.WHATSAPP_ENABLED:
        return
    url, challenge = callback_url(), secrets.token_hex(8)
    handshake = {
        "hub.mode": "subscribe",
        "hub.verify_token": settings.WHATSAPP_VERIFY_TOKEN,
        "hub.challenge": challenge,
    }
    try:
        answer = async_to_sync(http.request)("GET", url, params=handshake, seconds=SECONDS)
    except http.RequestFailed as failure:
        yield warning(
            f"The webhook {url} can't be reached from here: {failure.detail}.",
            "Check that a web process is running, and check PUBLIC_URL, DNS, the proxy and its certificate.",
        )
        return
    if answer.status == 200 and answer.body == challenge.encode():
        yield ok(f"The webhook answers at {url}.")
    elif answer.status == 403:
        yield error(
            f"The server at {url} has a different verify token.",
            "Set the same WHATSAPP_VERIFY_TOKEN everywhere, and restart the web processes.",
        )
    else:
        yield error(
            f"The webhook {url} answered {answer.status} instead of Meta's challenge.",
            "Configure the proxy to pass this path to Parley without a redirect or a login.",
        )


def models() -> Iterator[Finding]:
    """Whether each model endpoint answers and accepts its key. Costs nothing: it's asked for its list of models."""
    found: dict[tuple[str, str], Tenant] = {}
    with_numbers = WhatsAppAccount.objects.filter(is_active=True).values("tenant")
    used = Q(pk__in=with_numbers) if settings.MULTITENANT_ENABLED else Q(is_single=True)
    for tenant in Tenant.objects.filter(used, is_active=True).order_by("pk")[: MOST * 10]:
        try:
            assistant = Assistant.of(tenant.pk)
            found.setdefault((assistant.endpoint, usable_key(assistant)), tenant)
        except ImproperlyConfigured:
            continue  # the check of the stored secrets reports it
        except ModelFailed as failure:
            yield error(
                f"The assistant of {tenant} can't answer: {failure.detail}.",
                "Enter an API key on the assistant's page, or set OPENAI_API_KEY and restart.",
            )
    yield from _all(_ask_model, islice(found.items(), MOST))


async def _ask_model(pair: tuple[tuple[str, str], Tenant]) -> list[Finding]:
    (endpoint, key), tenant = pair
    whose = f"The model endpoint {_shown_url(endpoint)} of {tenant}"
    try:
        answer = await transport.list_models(key, endpoint, SECONDS)
    except (http.RequestFailed, ValueError) as failure:
        reason = failure.detail if isinstance(failure, http.RequestFailed) else "this isn't a URL"
        return [error(f"{whose} can't be reached: {reason}.", "Check the base URL, and that the service is running.")]
    if answer.status in (401, 403):
        return [error(f"{whose} rejected the API key ({answer.status}).", "Enter a valid API key.")]
    if answer.status >= 500:
        return [warning(f"{whose} answered {answer.status}.", "Check the service's status page.")]
    return [ok(f"{whose} answers.")]


def _shown_url(url: str) -> str:
    """The URL without a user, a password and a query."""
    return url.partition("?")[0].rpartition("@")[2].removeprefix("https://")


def numbers() -> Iterator[Finding]:
    """What Meta says about each number."""
    if not settings.WHATSAPP_ENABLED:
        return
    if settings.MULTITENANT_ENABLED:
        accounts = _accounts()
        if not accounts:
            yield warning("No WhatsApp account is active.", "Add one in the admin, and press Test connection.")
        for account in accounts:
            if account.last_delivery_at is None:
                yield warning(
                    f"{account}: no webhook received yet.",
                    "Enter the callback URL in your Meta app, and send a message.",
                )
    elif not settings.WHATSAPP_ACCESS_TOKEN:
        return  # the system checks report it
    elif not settings.WHATSAPP_WABA_ID:
        yield warning(
            "The numbers can't be checked.", "Set WHATSAPP_WABA_ID, so that Parley knows where to look for them."
        )
        return
    else:
        try:
            accounts = async_to_sync(_of_the_single_business)()
        except client.GraphError as failure:
            yield _refused("The WhatsApp Business Account", failure)
            return
        if not accounts:
            yield error(
                "The WhatsApp Business Account has no number.", "Check WHATSAPP_WABA_ID, or add a number at Meta."
            )
    yield from _all(_ask_about_number, accounts)


def _accounts() -> list[WhatsAppAccount]:
    active = WhatsAppAccount.objects.filter(is_active=True, tenant__is_active=True).order_by("pk")
    accounts = []
    for pk in active.values_list("pk", flat=True)[:MOST]:
        try:
            accounts.append(active.get(pk=pk))
        except (ImproperlyConfigured, WhatsAppAccount.DoesNotExist):
            continue  # its token can't be decrypted, which another check reports; or it has just been deleted
    return accounts


async def _of_the_single_business() -> list[WhatsAppAccount]:
    waba, token = settings.WHATSAPP_WABA_ID, settings.WHATSAPP_ACCESS_TOKEN
    answer = await client.get(f"{waba}/phone_numbers", token, fields="id,display_phone_number", limit="100")
    return [
        WhatsAppAccount(
            phone_number_id=as_text(as_dict(each).get("id")),
            display_phone_number=one_line(as_text(as_dict(each).get("display_phone_number")), 40),
            waba_id=waba,
            access_token=token,
        )
        for each in as_list(answer.get("data"))
    ]


async def _ask_about_number(account: WhatsAppAccount) -> list[Finding]:
    if not account.token:
        return [error(f"{account}: no access token.", "Enter a system user's permanent token on the account's page.")]
    answers = await connection_check.ask(account)
    findings = [_of_answer(account, answer) for answer in answers]
    if settings.SANDBOX_URL and settings.WHATSAPP_GRAPH_URL.startswith(settings.SANDBOX_URL):
        return findings
    if account.waba_id and all(answer.is_good for answer in answers):
        try:
            async with asyncio.timeout(SECONDS):
                findings += [_of_answer(account, answer) for answer in await standing(account)]
        except TimeoutError:
            findings.append(warning(f"{account}: Meta didn't respond in time.", "Try again in a moment."))
        except client.GraphError as failure:
            findings.append(_refused(str(account), failure))
    return findings


def _of_answer(account: WhatsAppAccount, answer: Answer) -> Finding:
    level = Level.OK if answer.is_good else Level.WARNING if answer.is_mild else Level.ERROR
    return Finding(level, f"{account}: {answer.text}", "" if answer.is_good else answer.remedy)


def _refused(subject: str, failure: client.GraphError) -> Finding:
    return error(f"{subject}: {failure.reason}.", connection_check.remedy(failure))
