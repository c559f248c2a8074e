"""Checks whether a number is ready to use, and says what to fix.

Meta proves whose number it is: only a token with access to the WhatsApp Business Account can list its numbers.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from asgiref.sync import async_to_sync
from django.conf import settings

from runtime import clock, http
from runtime.untrusted_json import as_dict, as_list, as_text, one_line
from whatsapp.models import WhatsAppAccount

from . import client
from .errors import rule_for

MOST_SHOWN = 100  # characters of a name
PAGE, PAGES = 100, 10
COPY_NUMBER = "Copy the phone number ID from your Meta app: WhatsApp, API setup."
COPY_WABA = "Copy the ID of the WhatsApp Business Account from WhatsApp Manager."
SUBSCRIBE = "Subscribe your app to the WhatsApp Business Account: see docs/connect-a-number.md."
_Question = Callable[[WhatsAppAccount], Awaitable["Finding"]]


@dataclass(frozen=True, slots=True)
class Finding:
    is_good: bool
    text: str
    is_proof: bool = False  # says whether the token owns the number and its WABA
    remedy: str = ""
    is_mild: bool = False  # messages still arrive and are sent


def is_confirmed(findings: Sequence[Finding]) -> bool:
    """Whether Meta confirms that the account's token owns its number and its WABA."""
    proofs = [finding.is_good for finding in findings if finding.is_proof]
    return len(proofs) == len(_PROOFS) and all(proofs)


def check(account: WhatsAppAccount) -> list[Finding]:
    """Ask Meta about the token, the number, the WABA and the subscription. One finding per check."""
    if not account.token:
        return [Finding(False, "No access token. Enter a system user's permanent token and save.")]
    findings = async_to_sync(ask)(account)
    if account.last_delivery_at is None:
        findings.append(Finding(False, "No webhook received yet. Enter the callback URL in your Meta app."))
    else:
        findings.append(Finding(True, f"Last webhook received: {clock.shown(account.last_delivery_at)}"))
    return findings


async def ask(account: WhatsAppAccount) -> list[Finding]:
    """What Meta says about the token, the number, the WABA and the subscription."""
    questions = (*_PROOFS, _subscription) if account.waba_id else _PROOFS
    try:
        async with asyncio.timeout(settings.GRAPH_SECONDS), http.keep_connections():  # for all of them
            return [await _finding(question, account) for question in questions]
    except TimeoutError:
        return [Finding(False, "Meta didn't respond in time.", remedy="Try again in a moment.")]


async def _finding(question: _Question, account: WhatsAppAccount) -> Finding:
    try:
        return await question(account)
    except client.GraphError as error:
        subjects: dict[_Question, str] = {_number: "The number", _waba: "The WhatsApp Business Account"}
        subject = subjects.get(question, "The subscription")
        return Finding(False, f"{subject}: {error.reason}.", question in _PROOFS, remedy(error))


def remedy(error: client.GraphError) -> str:
    return rule_for(error.code, error.http_status).advice or "Try again in a moment."


async def _number(account: WhatsAppAccount) -> Finding:
    """https://developers.facebook.com/docs/whatsapp/business-management-api/manage-phone-numbers"""
    path = quote(account.phone_number_id, safe="")
    fields = "display_phone_number,verified_name,quality_rating"
    number = await client.get(path, account.token, fields=fields)
    if number.get("id") != account.phone_number_id:
        return Finding(
            False, f"Meta doesn't know a phone number with the ID {account.phone_number_id}.", True, COPY_NUMBER
        )
    name = one_line(as_text(number.get("verified_name")), MOST_SHOWN) or "no name"
    shown = one_line(as_text(number.get("display_phone_number")), MOST_SHOWN) or "no number"
    return Finding(True, f"The token is valid. Number: {shown} ({name}).", True)


async def _waba(account: WhatsAppAccount) -> Finding:
    """https://developers.facebook.com/docs/graph-api/reference/whats-app-business-account/phone_numbers"""
    if not account.waba_id:
        return Finding(False, "No WABA ID. Enter the ID of the WhatsApp Business Account and save.", True)
    path, after = f"{quote(account.waba_id, safe='')}/phone_numbers", ""
    for _ in range(PAGES):
        more = {"after": after} if after else {}
        answer = await client.get(path, account.token, fields="id", limit=str(PAGE), **more)
        if any(as_dict(number).get("id") == account.phone_number_id for number in as_list(answer.get("data"))):
            return Finding(True, "The number belongs to the WhatsApp Business Account.", True)
        paging = as_dict(answer.get("paging"))
        after = as_text(as_dict(paging.get("cursors")).get("after"))
        if not after or not paging.get("next"):
            break
    return Finding(
        False, "The number doesn't belong to the WhatsApp Business Account with this WABA ID.", True, COPY_WABA
    )


async def _subscription(account: WhatsAppAccount) -> Finding:
    """https://developers.facebook.com/docs/graph-api/reference/whats-app-business-account/subscribed_apps"""
    path = f"{quote(account.waba_id, safe='')}/subscribed_apps"
    answer = await client.get(path, account.token)
    if answer.get("data"):
        return Finding(True, "An app is subscribed to the WhatsApp Business Account.")
    return Finding(
        False, "No app is subscribed to the WhatsApp Business Account, so messages won't arrive here.", remedy=SUBSCRIBE
    )


_PROOFS = (_number, _waba)
