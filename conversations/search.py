"""Finding conversations by a name, a number, or a word that was written in them."""

import re
from dataclasses import dataclass
from typing import Any

from django.contrib.postgres.search import SearchQuery, SearchVector
from django.db.models import F, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Left
from django.db.models.lookups import IsNull

from .models import ConversationMessage, SearchWord
from .vocabulary import nearest

# A word is frequent when this many of a sample of the newest conversations' messages have it.
FREQUENT = 5
SAMPLED_CONVERSATIONS = 100
SAMPLED_MESSAGES = 1000

# What may stand for one word of the search.
Alternatives = tuple[str, ...]

# The same expression as the index message_words: without language rules, for customers write in any.
WORDS = SearchVector(Left("text", 10_000), config="simple")
# A character less: not the index's expression. PostgreSQL expects 2 % of all rows from any beginning of a word,
# and would walk the index for one that nearly all have.
WORDS_UNINDEXED = SearchVector(Left("text", 9_999), config="simple")


def find(conversations: "QuerySet[Any]", term: str) -> "QuerySet[Any]":
    """Of these conversations, those that the term finds: every word of it by its beginning."""
    words = _words(term)
    if not words:
        return conversations.none()
    return conversations.filter(_named(words) | _numbered(term) | _said(conversations, words).condition)


@dataclass(frozen=True, slots=True)
class Found:
    conversations: "QuerySet[Any]"
    note: str = ""  # what was searched instead of what was typed


def find_or_nearly(conversations: "QuerySet[Any]", term: str, vocabulary: "QuerySet[SearchWord]") -> Found:
    """What the term finds; where that is nothing, what the nearest words of this vocabulary find."""
    words = _words(term)
    if not words:
        return Found(conversations.none())
    said = _said(conversations, words)
    found = conversations.filter(_named(words) | _numbered(term) | said.condition)
    if said.is_frequent or found.exists():
        return Found(found)
    meant = [tuple(nearest(word, vocabulary)) or (word,) for alternatives in words for word in alternatives]
    nearly = conversations.filter(_named(meant) | _said(conversations, meant).condition)
    if meant == words or not nearly.exists():
        return Found(found)
    shown = " ".join(" or ".join(alternatives) for alternatives in meant)
    return Found(nearly, f"Nothing for “{term.strip()}”; shown: “{shown}”.")


def _words(term: str) -> list[Alternatives]:
    return [(word,) for word in re.findall(r"\w+", term.replace("\x00", ""))]


def _named(words: list[Alternatives]) -> Q:
    condition = Q()
    for alternatives in words:
        condition &= Q(*(Q(contact_name__icontains=word) for word in alternatives), _connector=Q.OR)
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


def _said(conversations: "QuerySet[Any]", words: list[Alternatives]) -> _Said:
    """Rare words: the index of words lists the conversations. Frequent ones, where that list would be long: each
    conversation is asked, newest first, and the page is full after a few."""
    each = (" | ".join(f"'{word}':*" for word in alternatives) for alternatives in words)
    query = SearchQuery(" & ".join(f"({one})" for one in each), config="simple", search_type="raw")
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
