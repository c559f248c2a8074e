"""Meta's error codes: what to do about each when sending a message, and its description.

Decided by `error.code`, not by the HTTP status, as Meta asks:
https://developers.facebook.com/documentation/business-messaging/whatsapp/support/error-codes
Times are in seconds; `settings.RETRY_TIME_SCALE` shortens them in tests.
"""

from dataclasses import dataclass
from typing import Literal

from conversations.outbox.senders import Policy


@dataclass(frozen=True, slots=True)
class Rule:
    """One class of errors.

    policy: what to do with the message.
    waits: for RETRY, seconds before the second, third, … attempt of this message; when they're used up, it has failed.
    pause: nothing is sent for this app, WhatsApp Business Account or number for `pause_seconds`, depending on how many
    times in a row; with WAIT, it doesn't count as an attempt.
    advice: what an operator should do; logged as an error.
    """

    name: str
    policy: Policy
    waits: tuple[float, ...] = ()
    pause: Literal["app", "waba", "number"] | None = None
    pause_seconds: tuple[float, ...] = ()
    advice: str = ""


THROTTLE_SECONDS = (1.0, 2.0, 4.0, 8.0, 16.0, 30.0)

NO_CONNECTION = Rule("no connection", Policy.RETRY, waits=(1, 2, 4, 8, 16, 32, 60, 60, 60, 60))
APP_THROTTLED = Rule("app throttled", Policy.WAIT, pause="app", pause_seconds=THROTTLE_SECONDS)
WABA_THROTTLED = Rule("WABA throttled", Policy.WAIT, pause="waba", pause_seconds=THROTTLE_SECONDS)
NUMBER_THROTTLED = Rule("number throttled", Policy.WAIT, pause="number", pause_seconds=THROTTLE_SECONDS)
PAIR_THROTTLED = Rule("pair throttled", Policy.RETRY, waits=(1, 4, 16, 64, 256))
SPAM = Rule(
    "spam or quality",
    Policy.RETRY,
    waits=(900, 900),  # three attempts
    pause="number",
    pause_seconds=(900,),
    advice="Customers blocked or reported this number: check its quality in WhatsApp Manager.",
)
MAINTENANCE = Rule("maintenance", Policy.RETRY, waits=(60,) * 10)
# A minute for a status that says it was sent after all, then 120 and 480 s.
GENERIC = Rule("generic", Policy.RETRY, waits=(60, 120, 480))
UNCERTAIN = Rule("no answer", Policy.UNCERTAIN)
AUTH = Rule("auth", Policy.HOLD, advice="Save a valid permanent token with whatsapp_business_messaging in the account.")
POLICY = Rule("policy", Policy.HOLD, advice="Check Account quality in WhatsApp Manager, and appeal there.")
BILLING = Rule("billing", Policy.HOLD, advice="Fix the payment method in WhatsApp Manager.")
REGISTRATION = Rule("registration", Policy.HOLD, advice="Register the number with the Cloud API again.")
WINDOW = Rule("window", Policy.FAIL)
RECIPIENT = Rule("recipient", Policy.FAIL)
BAD_REQUEST = Rule(
    "bad request", Policy.FAIL, advice="This is a bug in Parley, or WHATSAPP_GRAPH_URL or the phone number ID is wrong."
)
CONTENT = Rule("content", Policy.FAIL)  # of templates, marketing messages and media
REFUSED = Rule("refused", Policy.FAIL, advice="Parley doesn't know this error code: look it up in Meta's list.")

CODES: dict[int, tuple[Rule, str]] = {
    4: (APP_THROTTLED, "the app calls Meta too often"),
    80007: (WABA_THROTTLED, "the business account calls Meta too often"),
    130429: (NUMBER_THROTTLED, "the number sends too fast"),
    131056: (PAIR_THROTTLED, "too many messages to this customer in a short time"),
    131048: (SPAM, "Meta limits this number because customers blocked or reported it"),
    131064: (SPAM, "Meta limits what this business may send, because of its quality"),
    131057: (MAINTENANCE, "the business account is in maintenance"),
    133004: (MAINTENANCE, "Meta's server is temporarily unavailable"),
    1: (GENERIC, "Meta had an unknown error"),
    2: (GENERIC, "Meta was down or overloaded"),
    131000: (GENERIC, "Meta couldn't send it and didn't say why"),
    131016: (GENERIC, "one of Meta's services was overloaded"),
    0: (AUTH, "Meta doesn't accept the access token"),
    3: (AUTH, "the access token lacks a permission"),
    10: (AUTH, "the access token lacks a permission"),
    190: (AUTH, "the access token has expired or is invalid"),
    131005: (AUTH, "the access token lacks a permission"),
    368: (POLICY, "the business account is blocked for breaking Meta's policies"),
    130497: (POLICY, "this business can't message customers in this country"),
    131031: (POLICY, "the business account is locked"),
    131042: (BILLING, "there is a problem with the payment method of the business account"),
    133010: (REGISTRATION, "the number is not registered with WhatsApp's Cloud API"),
    131045: (REGISTRATION, "the registration of the number is broken"),
    131047: (WINDOW, "the 24-hour window has closed; only a template can be sent"),
    131026: (RECIPIENT, "the customer can't be reached on WhatsApp"),
    130403: (RECIPIENT, "Meta doesn't let this business message this customer"),
    131021: (RECIPIENT, "the customer's number is the business's own"),
    131030: (RECIPIENT, "the customer isn't on the test number's list of recipients"),
    131062: (RECIPIENT, "this customer can't be messaged without a phone number"),
    33: (BAD_REQUEST, "the business's number no longer exists"),
    100: (BAD_REQUEST, "Meta didn't understand the request"),
    131008: (BAD_REQUEST, "part of the request is missing"),
    131009: (BAD_REQUEST, "part of the request is invalid"),
    131051: (BAD_REQUEST, "Meta doesn't know this type of message"),
    130472: (CONTENT, "the customer is part of a Meta experiment and wasn't sent this message"),
    131037: (CONTENT, "the number's display name isn't approved yet"),
    131049: (CONTENT, "Meta chose not to deliver it, to protect the customer's experience"),
    131050: (CONTENT, "the customer opted out of marketing messages from this business"),
    131052: (CONTENT, "the customer's file couldn't be downloaded"),
    131053: (CONTENT, "the file couldn't be uploaded"),
    132000: (CONTENT, "the template received the wrong number of values"),
    132001: (CONTENT, "the template doesn't exist in this language"),
    132015: (CONTENT, "the template is paused for low quality"),
    132016: (CONTENT, "the template is disabled for low quality"),
}


def rule_for(code: int | None, http_status: int | None) -> Rule:
    """What to do about an error from Meta; for an unknown code, depending on the HTTP status."""
    if code in CODES:
        return CODES[code][0]
    if code is not None and 200 <= code <= 299:
        return AUTH
    if http_status == 429:
        return NUMBER_THROTTLED
    if http_status == 401:
        return AUTH
    # Below 500 it's a refusal; from 500 on, no one knows.
    return REFUSED if http_status is not None and http_status < 500 else GENERIC


def code_as_text(code: int | None) -> str:
    """The description of a refusal's or `failed` status's code."""
    if code is None:
        return "Meta didn't say why"
    if 200 <= code <= 299:
        return f"the access token lacks a permission ({code})"
    return f"{CODES[code][1]} ({code})" if code in CODES else f"Meta's error {code}"
