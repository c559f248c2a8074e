"""Finding conversations by a name, a number, or a word that was written in them."""

import re
from dataclasses import dataclass
from typing import Any

from django.contrib.postgres.search import SearchQuery, SearchVector
from django.db.models import F, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Left
from django.db.models.lookups import IsNull

from .models import ConversationMessage

# A word is frequent when this many of a sample of the newest conversations' messages have it.
FREQUENT = 5
SAMPLED_CONVERSATIONS = 100
SAMPLED_MESSAGES = 1000
SHORTEST_STEM = 3

# The same expression as the index message_words: without language rules, for customers write in any.
WORDS = SearchVector(Left("text", 10_000), config="simple")
# A character less: not the index's expression. PostgreSQL expects 2 % of all rows from any beginning of a word,
# and would walk the index for one that nearly all have.
WORDS_UNINDEXED = SearchVector(Left("text", 9_999), config="simple")


def find(conversations: "QuerySet[Any]", term: str) -> "QuerySet[Any]":
    """Of these conversations, those that the term finds.

    A word is found by its beginning. Where nothing is found that way, by the first two thirds of each word, so
    that a slip at the end of a word does not hide what was meant.
    """
    words = re.findall(r"\w+", term.replace("\x00", ""))
    if not words:
        return conversations.none()
    said = _said(conversations, words)
    found = conversations.filter(_named(words) | _numbered(term) | said.condition)
    stems = [word[: max(SHORTEST_STEM, len(word) * 2 // 3)] for word in words]
    if said.is_frequent or stems == words or found.exists():
        return found
    return conversations.filter(_named(stems) | _said(conversations, stems).condition)


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


@dataclass(frozen=True, slots=True)
class _Said:
    condition: Q
    is_frequent: bool


def _said(conversations: "QuerySet[Any]", words: list[str]) -> _Said:
    """Rare words: the index of words lists the conversations. Frequent ones, where that list would be long: each
    conversation is asked, newest first, and the page is full after a few."""
    query = SearchQuery(" & ".join(f"'{word}':*" for word in words), config="simple", search_type="raw")
    with_words = ConversationMessage.objects.annotate(words=WORDS_UNINDEXED).filter(words=query)
    if with_words.filter(pk__in=_sample(conversations)).count() >= FREQUENT:
        # Not EXISTS: PostgreSQL may turn that into one search through all messages.
        one = with_words.filter(conversation=OuterRef("pk")).values("pk")[:1]
        return _Said(Q(IsNull(Subquery(one), False)), is_frequent=True)
    indexed = ConversationMessage.objects.annotate(words=WORDS).filter(words=query)
    return _Said(Q(pk__in=indexed.values("conversation_id")), is_frequent=False)


def _sample(conversations: "QuerySet[Any]") -> list[int]:
    newest = conversations.order_by(F("last_message_at").desc(nulls_last=True)).values_list("pk", flat=True)
    messages = ConversationMessage.objects.filter(conversation__in=list(newest[:SAMPLED_CONVERSATIONS]))
    return list(messages.values_list("pk", flat=True)[:SAMPLED_MESSAGES])
