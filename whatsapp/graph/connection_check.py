"""Checks whether a number is ready to use, and says what to fix."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from urllib.parse import quote

from asgiref.sync import async_to_sync

from runtime import http
from runtime.untrusted_json import as_text, one_line
from whatsapp.models import WhatsAppAccount

from . import client

MOST_SHOWN = 100  # characters of a name


@dataclass(frozen=True, slots=True)
class Finding:
    is_good: bool
    text: str


def check(account: WhatsAppAccount) -> list[Finding]:
    """Ask Meta about the token, the number and the subscription. One finding per check."""
    if not account.token:
        return [Finding(False, "No access token. Enter a system user's permanent token and save.")]
    findings = async_to_sync(_ask)(account)
    if account.last_delivery_at is None:
        findings.append(Finding(False, "No webhook received yet. Enter the callback URL in your Meta app."))
    else:
        findings.append(Finding(True, f"Last webhook received: {account.last_delivery_at:%Y-%m-%d %H:%M} UTC"))
    return findings


async def _ask(account: WhatsAppAccount) -> list[Finding]:
    questions = [_number] if not account.waba_id else [_number, _subscription]
    async with http.keep_connections():
        return [await _finding(question, account) for question in questions]


async def _finding(question: Callable[[WhatsAppAccount], Awaitable[Finding]], account: WhatsAppAccount) -> Finding:
    try:
        return await question(account)
    except client.GraphError as error:
        return Finding(False, f"{'The number' if question is _number else 'The subscription'}: {error.reason}.")


async def _number(account: WhatsAppAccount) -> Finding:
    """https://developers.facebook.com/docs/whatsapp/business-management-api/manage-phone-numbers"""
    path = quote(account.phone_number_id, safe="")
    fields = "display_phone_number,verified_name,quality_rating"
    number = await client.get(path, account.token, fields=fields)
    name = one_line(as_text(number.get("verified_name")), MOST_SHOWN) or "no name"
    shown = one_line(as_text(number.get("display_phone_number")), MOST_SHOWN) or "no number"
    return Finding(True, f"The token is valid. Number: {shown} ({name}).")


async def _subscription(account: WhatsAppAccount) -> Finding:
    """https://developers.facebook.com/docs/graph-api/reference/whats-app-business-account/subscribed_apps"""
    path = f"{quote(account.waba_id, safe='')}/subscribed_apps"
    answer = await client.get(path, account.token)
    if answer.get("data"):
        return Finding(True, "An app is subscribed to the WhatsApp Business Account.")
    return Finding(False, "No app is subscribed to the WhatsApp Business Account, so messages won't arrive here.")
