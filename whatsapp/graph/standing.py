"""What Meta thinks of a number, and where it sends the number's webhooks."""

import hashlib
import hmac
from urllib.parse import quote

from django.conf import settings
from django.urls import reverse

from runtime.untrusted_json import Json, as_dict, as_list, as_text, one_line
from whatsapp.models import WhatsAppAccount

from . import client
from .connection_check import MOST_SHOWN, SUBSCRIBE, Finding

INVALID_PROOF = 100
GOOD_STATES = {"", "CONNECTED", "PENDING"}


def callback_url() -> str:
    """The URL to which Meta sends our webhooks."""
    return settings.PUBLIC_URL.rstrip("/") + reverse("webhook")


async def standing(account: WhatsAppAccount) -> list[Finding]:
    """Meta's status and quality rating of the number, the subscribed app, and the callback URL. Raises
    client.GraphError."""
    number = quote(account.phone_number_id, safe="")
    fields = "status,quality_rating,webhook_configuration"
    answer = await client.get(number, account.token, fields=fields)
    state = one_line(as_text(answer.get("status")), MOST_SHOWN)
    quality = one_line(as_text(answer.get("quality_rating")), MOST_SHOWN)
    return [
        Finding(
            state in GOOD_STATES,
            f"Meta's status of the number: {state or 'not given'}.",
            remedy="Follow the instructions in WhatsApp Manager.",
        ),
        Finding(
            quality not in ("YELLOW", "RED"),
            f"Meta's quality rating of the number: {quality or 'not given'}.",
            remedy="Check in WhatsApp Manager why customers block or report the number.",
            is_mild=True,
        ),
        await _subscribed(account),
        _callback(as_dict(answer.get("webhook_configuration"))),
    ]


async def _subscribed(account: WhatsAppAccount) -> Finding:
    """Whether the app that is subscribed is the one whose secret we know.

    https://developers.facebook.com/docs/graph-api/guides/secure-requests
    """
    secrets = [account.app_secret] if account.app_secret else settings.WHATSAPP_APP_SECRETS
    app: Json = {}
    for secret in secrets:
        proof = hmac.new(secret.encode(), account.token.encode(), hashlib.sha256).hexdigest()
        try:
            app = await client.get("app", account.token, fields="id", appsecret_proof=proof)
            break
        except client.GraphError as refusal:
            if refusal.code != INVALID_PROOF:
                raise
    if not app:
        return Finding(
            False,
            "The app secret isn't the one of the access token's Meta app, so webhooks may be refused.",
            remedy="Copy the secret of the app that the token belongs to into WHATSAPP_APP_SECRET or the account.",
            is_mild=True,
        )
    subscribed = await client.get(f"{quote(account.waba_id, safe='')}/subscribed_apps", account.token)
    ids = {
        as_dict(as_dict(each).get("whatsapp_business_api_data")).get("id") for each in as_list(subscribed.get("data"))
    }
    if as_text(app.get("id")) in ids:
        return Finding(True, "Our app is subscribed to the WhatsApp Business Account.")
    others = "Another app is" if ids else "No app is"
    return Finding(
        False,
        f"{others} subscribed to the WhatsApp Business Account, and ours isn't, so messages won't arrive here.",
        remedy=SUBSCRIBE,
    )


def _callback(configured: Json) -> Finding:
    """Meta uses the most specific callback URL that is set."""
    levels = ("phone_number", "whatsapp_business_account", "application")
    url = next(filter(None, (as_text(configured.get(level)) for level in levels)), "")
    ours = callback_url()
    if not url:
        return Finding(True, "Meta doesn't say where it sends the number's webhooks.")
    if url.rstrip("/") == ours:
        return Finding(True, "Meta sends the number's webhooks here.")
    return Finding(
        False,
        f"Meta sends the number's webhooks to {one_line(url.partition('?')[0], MOST_SHOWN)}, not to {ours}.",
        remedy="Correct the callback URL in your Meta app or remove its override, or correct PUBLIC_URL.",
    )
