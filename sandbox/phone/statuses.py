"""The statuses of a business's message, posted to the bot."""

from functools import partial

from sandbox.models import Message
from sandbox.phone.envelopes import status
from sandbox.phone.posting import deliver, retry_after
from sandbox.pool import pool
from sandbox.weather.rules import take

States = tuple[str, ...]


def announce(message_id: int) -> None:
    """Post `sent` and then `delivered`, each after the previous was accepted, or what a rule asks for instead."""
    message = _load(message_id)
    customer = message.chat.customer
    facts = {
        "phone_number_id": message.chat.number.phone_number_id,
        "to": customer.wa_id or customer.user_id,
        "text": "",
    }
    if take("webhook", ["no_statuses"], facts):
        return
    rule = take("webhook", ["reorder", "read_without_delivered"], facts)
    states: States = WEATHER[rule.kind] if rule is not None else ("sent", "delivered")
    late = take("webhook", ["late"], facts)
    pool.submit(partial(_step, message_id, states, 0), late["seconds"] if late is not None else 0)


WEATHER: dict[str, States] = {
    "reorder": ("delivered", "sent"),
    "read_without_delivered": ("sent", "read"),
}


def announce_failure(message_id: int, code: int) -> None:
    message = _load(message_id)
    if message.advance("failed", f"Failed with code {code}."):
        deliver(status(message, "failed", error_code=code), message.chat.number)


def announce_read(message_id: int) -> None:
    _step(message_id, ("read",), 0)


def _step(message_id: int, states: States, tries: int) -> None:
    if not states:
        return
    message = _load(message_id)
    message.advance(states[0])
    if deliver(status(message, states[0]), message.chat.number).ok:
        _step(message_id, states[1:], 0)
    elif (delay := retry_after(tries + 1)) is not None:
        pool.submit(partial(_step, message_id, states, tries + 1), delay)


def _load(message_id: int) -> Message:
    return Message.objects.select_related("chat__number", "chat__customer").get(pk=message_id)
