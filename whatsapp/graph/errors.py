"""Meta's error codes: what each means for a message we tried to send, and for a person who reads it.

Decided by `error.code`, not by the HTTP status, as Meta asks:
https://developers.facebook.com/documentation/business-messaging/whatsapp/support/error-codes
Seconds here are those of production; `settings.RETRY_TIME_SCALE` shortens all of them in tests.
"""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Rule:
    """One class of errors.

    surely_not_sent: Meta refused; otherwise it may have been sent.
    waits: seconds before the second, third, … attempt of this message; when used up, it has failed.
    pause: nothing at all is sent for this app, WhatsApp Business Account or number for
        `pause_seconds`, by how many times in a row; the message itself loses no attempt by it.
    permanent: trying again is of no use.
    on_hold: the number sends nothing, for as long as it has this token, until a person acts.
    needs_person: somebody should look at the conversation.
    tell_operators: an error in the log, with `advice`.
    """

    name: str
    surely_not_sent: bool = True
    waits: tuple[float, ...] = ()
    pause: Literal["app", "waba", "number"] | None = None
    pause_seconds: tuple[float, ...] = ()
    permanent: bool = False
    on_hold: bool = False
    needs_person: bool = False
    tell_operators: bool = False
    advice: str = ""


THROTTLE_SECONDS = (1.0, 2.0, 4.0, 8.0, 16.0, 30.0)


def _held(name: str, advice: str) -> Rule:
    return Rule(name, on_hold=True, needs_person=True, tell_operators=True, advice=advice)


NO_CONNECTION = Rule("no connection", waits=(1, 2, 4, 8, 16, 32, 60, 60, 60, 60))
APP_THROTTLED = Rule("app throttled", pause="app", pause_seconds=THROTTLE_SECONDS)
WABA_THROTTLED = Rule("WABA throttled", pause="waba", pause_seconds=THROTTLE_SECONDS)
NUMBER_THROTTLED = Rule("number throttled", pause="number", pause_seconds=THROTTLE_SECONDS)
PAIR_THROTTLED = Rule("pair throttled", waits=(1, 4, 16, 64, 256))
SPAM = Rule(
    "spam or quality",
    waits=(900, 900),  # three tries
    pause="number",
    pause_seconds=(900,),
    tell_operators=True,
    advice="Customers blocked or reported this number: look at its quality in the WhatsApp Manager.",
)
MAINTENANCE = Rule("maintenance", waits=(60,) * 10)
# 30 s for the status that says it was sent after all, then 30, 120 and 480 s.
GENERIC = Rule("generic", surely_not_sent=False, waits=(60, 120, 480))
UNCERTAIN = Rule("no answer", surely_not_sent=False, needs_person=True)
AUTH = _held("auth", "Put a valid permanent token with whatsapp_business_messaging into the account.")
POLICY = _held("policy", "Look into the WhatsApp Manager, under account quality, and appeal there.")
BILLING = _held("billing", "Set the payment method right in the WhatsApp Manager.")
REGISTRATION = _held("registration", "Register the number again with the Cloud API.")
WINDOW = Rule("window", permanent=True, needs_person=True)
RECIPIENT = Rule("recipient", permanent=True, needs_person=True)
BAD_REQUEST = Rule(
    "bad request",
    permanent=True,
    needs_person=True,
    tell_operators=True,
    advice="This is a mistake in Parley, or WHATSAPP_GRAPH_URL or the phone_number_id is wrong.",
)
# Templates, marketing, media: we send none of these, but a status may speak of them.
NOT_OURS = Rule("not ours", permanent=True, needs_person=True)
REFUSED = Rule(
    "refused",
    permanent=True,
    needs_person=True,
    tell_operators=True,
    advice="An error code that Parley does not know: look it up in Meta's list.",
)

CODES: dict[int, tuple[Rule, str]] = {
    4: (APP_THROTTLED, "the app calls Meta too often"),
    80007: (WABA_THROTTLED, "the business account calls Meta too often"),
    130429: (NUMBER_THROTTLED, "the number sends too fast"),
    131056: (PAIR_THROTTLED, "too many messages to this customer in a short time"),
    131048: (SPAM, "Meta limits this number because customers blocked or reported it"),
    131064: (SPAM, "Meta limits what this business may send, because of its quality"),
    131057: (MAINTENANCE, "Meta is working on the business account"),
    133004: (MAINTENANCE, "Meta's server is not available for the moment"),
    1: (GENERIC, "Meta had an unknown error"),
    2: (GENERIC, "Meta was down or overloaded"),
    131000: (GENERIC, "Meta could not send it and does not say why"),
    131016: (GENERIC, "a service of Meta was overloaded"),
    0: (AUTH, "Meta does not accept the access token"),
    3: (AUTH, "the access token lacks a permission"),
    10: (AUTH, "the access token lacks a permission"),
    190: (AUTH, "the access token is expired or invalid"),
    131005: (AUTH, "the access token lacks a permission"),
    368: (POLICY, "the business account is blocked for breaking Meta's policies"),
    130497: (POLICY, "this business may not write to customers in this country"),
    131031: (POLICY, "the business account is locked"),
    131042: (BILLING, "there is a problem with the payment method of the business account"),
    133010: (REGISTRATION, "the number is not registered with WhatsApp's Cloud API"),
    131045: (REGISTRATION, "the registration of the number is broken"),
    131047: (WINDOW, "the customer wrote more than 24 hours ago; only a template may be sent"),
    131026: (RECIPIENT, "the customer cannot be reached on WhatsApp"),
    130403: (RECIPIENT, "Meta does not let this business write to this customer"),
    131021: (RECIPIENT, "the customer's number is the business's own"),
    131030: (RECIPIENT, "the customer's number is not in the list that a test number may write to"),
    131062: (RECIPIENT, "this customer cannot be written to without a phone number"),
    33: (BAD_REQUEST, "the business's number does not exist any more"),
    100: (BAD_REQUEST, "Meta did not understand the request"),
    131008: (BAD_REQUEST, "a part of the request is missing"),
    131009: (BAD_REQUEST, "a part of the request is wrong"),
    131051: (BAD_REQUEST, "Meta does not know this type of message"),
    130472: (NOT_OURS, "the customer is part of an experiment of Meta's and was not sent this message"),
    131037: (NOT_OURS, "the display name of the number is not approved yet"),
    131049: (NOT_OURS, "Meta chose not to deliver it, to spare the customer"),
    131050: (NOT_OURS, "the customer does not want marketing messages from this business"),
    131052: (NOT_OURS, "the file the customer sent could not be downloaded"),
    131053: (NOT_OURS, "the file could not be uploaded"),
    132000: (NOT_OURS, "the template got the wrong number of values"),
    132001: (NOT_OURS, "the template does not exist in this language"),
    132015: (NOT_OURS, "the template is paused for low quality"),
    132016: (NOT_OURS, "the template is switched off for low quality"),
}


def rule_for(code: int | None, http_status: int | None) -> Rule:
    """What to do about an error that Meta gave in its own form; for a code of no known class, by the HTTP status."""
    if code in CODES:
        return CODES[code][0]
    if code is not None and 200 <= code <= 299:
        return AUTH
    if http_status == 429:
        return NUMBER_THROTTLED
    if http_status == 401:
        return AUTH
    # A status in words of its own below 500 is a refusal, from 500 on nobody knows.
    return REFUSED if http_status is not None and http_status < 500 else GENERIC


def words(code: int | None) -> str:
    """A code in words, for a person: of a refusal as of a `failed` status."""
    if code is None:
        return "Meta did not say why"
    if 200 <= code <= 299:
        return f"the access token lacks a permission ({code})"
    return f"{CODES[code][1]} ({code})" if code in CODES else f"Meta's error {code}"
