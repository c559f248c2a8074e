"""Posts webhooks as Meta does, signed over the raw bytes. The only connection from the sandbox to the bot."""

import hashlib
import hmac
import json
from dataclasses import dataclass

import httpx2
from django.conf import settings

from sandbox.log import begin, finish
from sandbox.models import PhoneNumber
from sandbox.phone.envelopes import Envelope
from sandbox.weather.rules import take

TIMEOUT_SECONDS = 10
USER_AGENT = "facebookexternalua"  # Meta's
# Meta retries for 7 days if the answer isn't 200. The sandbox gives up sooner.
RETRY_SECONDS = (1.0, 4.0, 16.0, 60.0)
# The bot is on this machine: no proxy leads to it.
_client = httpx2.Client(timeout=TIMEOUT_SECONDS, follow_redirects=False, trust_env=False)


@dataclass(frozen=True)
class Outcome:
    """The webhook's answer, with an explanation for the phone."""

    status: int | None
    words: str

    @property
    def ok(self) -> bool:
        return self.status == 200


def retry_after(tries: int) -> float | None:
    """Seconds until the next retry after this many attempts, or None to give up."""
    return RETRY_SECONDS[tries - 1] if tries <= len(RETRY_SECONDS) else None


def webhook_url() -> str:
    url = getattr(settings, "SANDBOX_WEBHOOK_URL", "")
    return url or f"http://127.0.0.1:{settings.PORT}/api/whatsapp/webhook"


def secret_of(number: PhoneNumber) -> str:
    """The app secret that signs this number's deliveries, or ''."""
    return number.app_secret or next(iter(settings.WHATSAPP_APP_SECRETS), "")


def sign(body: bytes, secret: str) -> str:
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def deliver(payload: Envelope, number: PhoneNumber) -> Outcome:
    """A delivery with the injected faults. If it's posted several times, the first outcome counts."""
    facts = {"phone_number_id": number.phone_number_id}
    secret = secret_of(number)
    if take("webhook", ["bad_signature"], facts):
        secret = f"not {secret}"
    again = take("webhook", ["duplicate"], facts)
    outcome = post(payload, secret)
    for _ in range(int(again["copies"]) if again is not None else 0):
        post(payload, secret)
    return outcome


def post(payload: Envelope, secret: str) -> Outcome:
    """One attempt. Every outcome is logged."""
    body = json.dumps(payload, ensure_ascii=False).encode()
    headers = {"Content-Type": "application/json", "User-Agent": USER_AGENT}
    if secret:
        headers["X-Hub-Signature-256"] = sign(body, secret)
    url = webhook_url()
    entry = begin("webhook", "POST", url, payload)
    outcome = _attempt(url, body, headers)
    finish(entry, outcome.words, outcome.status)
    return outcome


def _attempt(url: str, body: bytes, headers: dict[str, str]) -> Outcome:
    try:
        status = _client.post(url, content=body, headers=headers).status_code
    except httpx2.ConnectError:
        return Outcome(None, f"Nothing responds at {url}. Is the bot running?")
    except httpx2.TimeoutException:
        return Outcome(None, f"The webhook didn't respond within {TIMEOUT_SECONDS} seconds.")
    except httpx2.HTTPError as error:
        return Outcome(None, f"The connection to the webhook failed ({type(error).__name__}).")
    return Outcome(status, WORDS.get(status, f"The webhook answered {status} instead of 200."))


WORDS = {
    200: "delivered",
    403: "The webhook refused the signature (403). The sandbox and the bot have different app secrets.",
    404: "There's no webhook at this URL (404).",
    413: "The delivery is too large for the webhook (413).",
    503: "The webhook can't store messages now (503). Meta would retry.",
}
