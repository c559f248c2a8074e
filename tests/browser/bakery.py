"""Sample data for screenshots: a bakery that has used Parley for two weeks."""

import datetime as dt
import random
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import User
from django.utils import timezone

from assistant.models import Assistant, Turn
from conversations import handover
from conversations.choices import HandoverReason
from conversations.desk import notes
from conversations.models import Conversation, ConversationMessage, Pause
from conversations.tests.rows import message, owner
from leads.models import Lead
from tenants.models import Tenant
from whatsapp.models import QuarantinedEvent, WhatsAppAccount
from whatsapp.tests.factories import PHONE_NUMBER_ID

INSTRUCTIONS = """You are the assistant of Morgenrot, a bakery in the old town.
We're open from 6 to 18, on Sundays from 8 to 12. Cakes must be ordered two days ahead with a deposit of €10.
Only quote prices from this list: strawberry cake €28, chocolate cake €32, sugar-free fruit cake €30.
If a customer is unhappy, tell them a colleague will get back to them."""
PEOPLE = ["Ann Lee", "Milo Ferrer", "Dieter Krause", "Sofía Marín", "Aisha Bello", "Tomáš Novák", "Priya Nair", "Ole"]
ASKED = [
    "Do you have a strawberry cake for Saturday?",
    "When do you open on Sunday?",
    "How much is the chocolate cake?",
]
SAID = ["Yes, it's €28. Would you like to order one?", "On Sundays from 8 to 12.", "The chocolate cake is €32."]


@dataclass(frozen=True)
class Bakery:
    talk: Conversation  # shown in the screenshots
    assistant: Assistant
    account: WhatsAppAccount
    lead: Lead
    quarantined: QuarantinedEvent


def open_bakery(tenant: Tenant, agent: User, account: WhatsAppAccount) -> Bakery:
    agent.first_name, agent.last_name = "Rosa", "Lind"
    agent.save()
    tenant.name = "Morgenrot"
    tenant.save()
    account.display_phone_number, account.waba_id = "+49 30 5550 100", "303030303030"
    account.last_delivery_at = timezone.now() - dt.timedelta(minutes=2)
    account.save()
    assistant = Assistant.objects.create(tenant=tenant, instructions=INSTRUCTIONS, daily_token_limit=200_000)
    talks = [_conversation(tenant, name, number) for number, name in enumerate(PEOPLE)]
    for number, talk in enumerate(talks[1:], start=1):
        _small_talk(talk, number)
    _fortnight(talks[-1])
    lead = _look_at(talks[0], agent)
    Conversation.objects.filter(pk=talks[1].pk).update(handled_by="operator", operator=agent)
    handover.mark_needs_person(
        [talks[2].pk],
        HandoverReason.ASKED,
        "Wants to talk about a late order. The assistant found no order in his name.",
    )
    _needs(talks[3], handover.UNCERTAIN)
    Pause.objects.create(scope=f"number:{PHONE_NUMBER_ID}", reason="Meta refused the token (code 190).", error_code=190)
    return Bakery(talks[0], assistant, account, lead, _quarantined(tenant))


def _conversation(tenant: Tenant, name: str, number: int) -> Conversation:
    heard = timezone.now() - dt.timedelta(minutes=4 + 47 * number**2)
    return Conversation.objects.create(
        tenant=tenant,
        phone_number_id=PHONE_NUMBER_ID,
        external_id=f"49151{number}2345{number}7",
        contact_name=name,
        last_inbound_at=heard,
        last_message_at=heard,
        seen_at=heard if number % 3 else None,
    )


def _say(talk: Conversation, minutes: float, text: str, role: str = "user", **columns: Any) -> ConversationMessage:
    """`minutes` before the customer's last message."""
    created_at = (talk.last_inbound_at or timezone.now()) - dt.timedelta(minutes=minutes)
    return message(talk, text, role, created_at=created_at, **columns)


def _small_talk(talk: Conversation, number: int) -> None:
    asked = _say(talk, 1, ASKED[number % 3])
    said = _say(talk, 0.8, SAID[number % 3], "assistant", status="read", external_id=f"wamid.said{number}")
    _turn(talk, asked, said, 3.1).save()
    _say(talk, 0, "Thank you! 🍰" if number % 2 else "Is the bread still warm at six in the morning?")
    Lead.objects.create(
        tenant=owner(talk),
        conversation=talk,
        name=talk.contact_name,
        phone=talk.external_id,
        stage=Lead.Stage.values[number % 5],
        first_text=ASKED[number % 3],
    )


def _turn(talk: Conversation, asked: ConversationMessage, said: ConversationMessage, seconds: float) -> Turn:
    when = asked.created_at
    return Turn(
        tenant=owner(talk),
        conversation=talk,
        state="replied",
        outcome="replied",
        model="gpt-5.4-mini",
        first_message=asked,
        last_message=asked,
        first_reply=said,
        last_reply=said,
        due_at=when,
        latest_due_at=when,
        opened_at=when,
        finished_at=when + dt.timedelta(seconds=seconds),
        prompt_tokens=412,
        completion_tokens=38,
        cost="0.00031",
        instructions_hash="5b1f0c9a77de2134",
    )


def _fortnight(talk: Conversation) -> None:
    """Days of work, for the charts."""
    chance, pairs = random.Random(4), []
    for day in range(13):
        for _ in range(chance.randint(6, 22)):
            at = (talk.last_inbound_at or timezone.now()) - dt.timedelta(days=day, minutes=chance.randint(1, 600))
            asked = ConversationMessage(conversation=talk, role="user", origin="customer", text="Are you open today?")
            said = ConversationMessage(
                conversation=talk, role="assistant", origin="assistant", text="Yes, every day from six.", status="read"
            )
            asked.created_at, said.created_at = at - dt.timedelta(minutes=1), at
            pairs.append((asked, said, chance.uniform(2.2, 7)))
    ConversationMessage.objects.bulk_create([row for asked, said, _ in pairs for row in (asked, said)])
    Turn.objects.bulk_create(_turn(talk, *pair) for pair in pairs)


def _look_at(talk: Conversation, agent: User) -> Lead:
    day = 24 * 60
    asked = _say(talk, day + 9, "Hello! Do you have a strawberry cake for Saturday?", external_id="wamid.a1")
    said = _say(
        talk,
        day + 8,
        "Yes, it's €28. Would you like to order one?",
        "assistant",
        status="read",
        external_id="wamid.b1",
    )
    _turn(talk, asked, said, 3.4).save()
    _say(talk, day + 7, "[reaction] ❤️", kind="reaction", reply_to="wamid.b1")
    _say(talk, day + 6, "For eight people, please", edits=[{"text": "For six people", "until": "2026-01-01"}])
    asked = _say(talk, 31, "My sister can't have sugar. Do you have one for her too?", external_id="wamid.a2")
    said = _say(
        talk,
        30,
        "Yes, our sugar-free fruit cake is €30. We bake it on Fridays.",
        "assistant",
        status="delivered",
        external_id="wamid.b2",
        reply_to="wamid.a2",
    )
    _turn(talk, asked, said, 2.8).save()
    _say(talk, 12, "Could I talk to someone? It's for her wedding", external_id="wamid.a3")
    note = notes.add(talk.pk, agent, "Wedding on the 12th. Ask if she'd like a tasting first.")
    notes.ConversationNote.objects.filter(pk=note.pk).update(created_at=said.created_at + dt.timedelta(minutes=19))
    mine: dict[str, Any] = {"role": "assistant", "origin": "operator", "author": agent}
    _say(talk, 10, "Hello Ann, this is Rosa. Congratulations! How many guests will there be?", status="read", **mine)
    _say(talk, 5, "About sixty. Can I come by tomorrow?", revoked_at=None)
    _say(
        talk,
        3,
        "Of course! I've reserved ten o'clock for you.",
        status="failed",
        error_code=131047,
        error_detail="More than 24 hours have passed since the customer last replied.",
        **mine,
    )
    _say(talk, 2, "I'll meet you at the entrance at ten.", status="sent", **mine)
    _say(talk, 0, "Perfect, see you there 🎂")
    Conversation.objects.filter(pk=talk.pk).update(handled_by="operator", operator=agent)
    return Lead.objects.create(
        tenant=owner(talk),
        conversation=talk,
        name=talk.contact_name,
        phone=talk.external_id,
        stage="qualified",
        source="whatsapp",
        first_text="Hello! Do you have a strawberry cake for Saturday?",
        notes="Wedding, 60 guests",
    )


def _needs(talk: Conversation, why: str) -> None:
    since = timezone.now() - dt.timedelta(minutes=20)
    Conversation.objects.filter(pk=talk.pk).update(needs_person=why, needs_person_since=since)


def _quarantined(tenant: Tenant) -> QuarantinedEvent:
    rows = [
        QuarantinedEvent(
            tenant=tenant,
            reason=reason,
            field=field,
            phone_number_id=PHONE_NUMBER_ID,
            digest=reason,
            raw={"object": "whatsapp_business_account", "entry": [{"id": "1", "changes": [{"field": field}]}]},
        )
        for reason, field in [
            ("Unknown webhook field 'account_update'", "account_update"),
            ("No active account for this number", "messages"),
        ]
    ]
    return QuarantinedEvent.objects.bulk_create(rows)[0]
