"""Delivers customers' messages to the bot's webhook, with the injected faults."""

from functools import partial

from django.db import transaction
from django.db.models import Case, Value, When

from sandbox.models import Chat, Message, PhoneNumber, WeatherRule
from sandbox.phone.envelopes import inbound, joined
from sandbox.phone.messages import extras
from sandbox.phone.posting import Outcome, deliver, retry_after
from sandbox.pool import pool
from sandbox.weather.rules import take

OVERTAKEN_SECONDS = 5


def send_off(message: Message) -> None:
    """Post it in the background, or hold it while a batch fills."""
    Chat.objects.filter(pk=message.chat_id).update(last_inbound_at=message.created_at)
    facts = {"phone_number_id": message.chat.number.phone_number_id, "text": str(message.content)}
    batch = WeatherRule.objects.filter(area="webhook", kind="batch").first()
    if batch is not None:
        Message.objects.filter(pk=message.pk).update(state="held")
        pool.submit(partial(_fill, message.chat.number.pk, int(batch.params["size"])))
        return
    delay = 0.0
    if late := take("webhook", ["late"], facts):
        delay = late["seconds"]
    elif message.pk % 2 and take("webhook", ["reorder"], facts):
        delay = OVERTAKEN_SECONDS
    pool.submit(partial(_post, [message.pk], 0), delay)


def release_held() -> None:
    """Post what's waiting for a batch, because the rules have changed."""
    if not WeatherRule.objects.filter(area="webhook", kind="batch").exists():
        for number in PhoneNumber.objects.filter(chats__messages__state="held").distinct():
            pool.submit(partial(_fill, number.pk, 1))


def again(message: Message) -> None:
    Message.objects.filter(pk=message.pk).update(state="posting", problem="")
    pool.submit(partial(_post, [message.pk], 0))


def _fill(number_id: int, size: int) -> None:
    """Claim the held messages once there are enough. Safe if several processes try at once."""
    with transaction.atomic():
        held = Message.objects.select_for_update().filter(chat__number_id=number_id, state="held")
        ids = list(held.order_by("pk").values_list("pk", flat=True))
        if len(ids) < size:
            return
        Message.objects.filter(pk__in=ids).update(state="posting")
    if len(ids) > 1:
        number = PhoneNumber.objects.get(pk=number_id)
        take("webhook", ["batch"], {"phone_number_id": number.phone_number_id})
    _post(ids, 0)


def _post(ids: list[int], tries: int) -> None:
    found = Message.objects.select_related("chat__number", "chat__customer").filter(pk__in=ids).order_by("pk")
    messages = list(found)
    if not messages:
        return
    payload = joined([inbound(message, extras(message)) for message in messages])
    outcome = deliver(payload, messages[0].chat.number)
    _note(ids, outcome)
    if not outcome.ok and (delay := retry_after(tries + 1)) is not None:
        pool.submit(partial(_post_unless_delivered, ids, tries + 1), delay)


def _post_unless_delivered(ids: list[int], tries: int) -> None:
    waiting = Message.objects.filter(pk__in=ids, state="refused").order_by("pk")
    _post(list(waiting.values_list("pk", flat=True)), tries)


def _note(ids: list[int], outcome: Outcome) -> None:
    """The bot can mark it as read before its webhook has answered."""
    rows = Message.objects.filter(pk__in=ids)
    if not outcome.ok:
        rows.update(state="refused", problem=outcome.words)
        return
    state = Case(When(state="read", then=Value("read")), default=Value("delivered"))
    rows.update(state=state, problem="")
