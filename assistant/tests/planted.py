"""A long conversation of our own, with facts planted in it, to prove what a prompt remembers."""

import datetime as dt
import random
from dataclasses import dataclass

from django.db import connection
from django.utils import timezone

from conversations.models import Conversation, ConversationMessage

_THINGS = """
dog cat parrot tortoise boat bicycle car van bakery cafe garden band choir team street village school hotel brother
sister daughter nephew teacher doctor dentist plumber neighbour landlord gallery theatre library museum tent kayak
guitar piano violin printer router camera tractor greenhouse
"""
_NAMES = """
Arvo Bellamy Corvin Dorsey Elowen Farrow Gideon Hadley Isolde Jasper Kestrel Linnea Marlow Nevin Ottilie Pascoe Quill
Rosalind Sorrel Tamsin Ulric Verity Wilfred Xanthe Yarrow Zephyr Amaryl Brynmor Calixta Dunstan Evadne Fenwick
Griselda Hollis Ignatius Juniper Kerensa Leopold Melisande Niamh Oswin Primrose
"""
_DOES = "saw fixed cleaned painted sold moved opened visited checked described ordered returned"
_WHEN = "today yesterday again early late twice finally quickly"
_REST = """
It rained all day, so we stayed inside and talked for a while.
The delivery came later than expected.
Please send the invoice to the office.
We were quite happy with it in the end.
The colour is a little darker than in the picture.
My colleague will call you back.
That works for me.
Thank you for the quick answer.
"""
THINGS, NAMES = _THINGS.split(), _NAMES.split()
DOES, WHEN, REST = _DOES.split(), _WHEN.split(), _REST.strip().split("\n")


@dataclass(frozen=True)
class Fact:
    thing: str
    name: str

    @property
    def text(self) -> str:
        return f"By the way, my {self.thing} is called {self.name}."

    @property
    def question(self) -> str:
        return f"What is my {self.thing} called?"


FACTS = [Fact(thing, name) for thing, name in zip(THINGS, NAMES, strict=False)]


def converse(talk: Conversation, length: int, planted: dict[int, Fact]) -> list[ConversationMessage]:
    """Store a conversation of this many messages. planted: facts by how many messages ago they were said."""
    choose = random.Random(length)
    start = timezone.now() - dt.timedelta(hours=length)
    rows = []
    for n in range(length):
        fact = planted.get(length - n)
        chat = f"I {choose.choice(DOES)} the {choose.choice(THINGS)} {choose.choice(WHEN)}. {choose.choice(REST)}"
        is_customer = fact is not None or n % 2 == 0
        rows.append(
            ConversationMessage(
                conversation=talk,
                role="user" if is_customer else "assistant",
                origin="customer" if is_customer else "assistant",
                text=f"{chat} {fact.text}" if fact else chat,
                created_at=start + dt.timedelta(hours=n),
            )
        )
    stored = ConversationMessage.objects.bulk_create(rows)
    with connection.cursor() as cursor:
        cursor.execute(
            "ANALYZE conversation_messages"
        )  # as autovacuum does, so that searches are planned for this many
    return stored
