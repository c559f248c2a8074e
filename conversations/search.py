"""Finding conversations by a name, a number, or a word that was written in them."""

import re
from typing import Any

from django.contrib.postgres.search import SearchQuery, SearchVector
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Left

from .models import ConversationMessage

RARE = 3000  # up to this many messages with the words are looked at one by one
SHORTEST_STEM = 3

# The same expression as the index message_words: without language rules, for customers write in any.
WORDS = SearchVector(Left("text", 10_000), config="simple")


def find(conversations: "QuerySet[Any]", term: str) -> "QuerySet[Any]":
    """Of these conversations, those that the term finds.

    A word is found by its beginning. Where nothing is found that way, by the first two thirds of each word, so
    that a slip at the end of a word does not hide what was meant.
    """
    words = re.findall(r"\w+", term.replace("\x00", ""))
    if not words:
        return conversations.none()
    found = conversations.filter(_matches(term, words))
    if found.exists():
        return found
    stems = [word[: max(SHORTEST_STEM, len(word) * 2 // 3)] for word in words]
    return conversations.filter(_matches(term, stems)) if stems != words else found


def _matches(term: str, words: list[str]) -> Q:
    return _named(words) | _numbered(term) | _said(words)


def _named(words: list[str]) -> Q:
    condition = Q()
    for word in words:
        condition &= Q(contact_name__icontains=word)
    return condition


def _numbered(term: str) -> Q:
    digits = re.sub(r"[\s()+./-]", "", term)
    if not digits.isdecimal():
        return Q(external_id=term) | Q(contact_user_id=term)
    return Q(external_id__contains=digits)


def _said(words: list[str]) -> Q:
    """Rare words: the conversations are listed by the index of words. Frequent ones: each conversation is asked,
    newest first, and the page is full after a few."""
    query = SearchQuery(" & ".join(f"'{word}':*" for word in words), config="simple", search_type="raw")
    messages = ConversationMessage.objects.annotate(words=WORDS).filter(words=query)
    rare = list(messages.values_list("conversation_id", flat=True)[: RARE + 1])
    if len(rare) <= RARE:
        return Q(pk__in=set(rare))
    return Q(Exists(messages.filter(conversation=OuterRef("pk"))))
