"""Finding conversations by a name, a number, or a word that was written in them."""

import re
from dataclasses import dataclass
from typing import Any

from django.contrib.postgres.search import SearchQuery, SearchVector
from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import F, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Left
from django.db.models.lookups import IsNull

from .models import Conversation, ConversationMessage, SearchWord
from .vocabulary import nearest

# A word is frequent when this many of the newest conversations have it, and as many of some further down the list:
# then a page is full long before the end of it.
FREQUENT = 5
SAMPLED = 100
FURTHER_DOWN = 1000
# Of a frequent word, so many of the newest messages of each conversation are looked at: one may have 100,000.
NEWEST_MESSAGES = 1000
MAX_FOUND_MESSAGES = 1000

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


def find_messages(messages: "QuerySet[ConversationMessage]", term: str) -> "QuerySet[ConversationMessage]":
    """Of these messages, the one with this wamid, or the newest that contain every word (or its beginning)."""
    if term.startswith("wamid."):
        return messages.filter(external_id=term)
    words = re.findall(r"\w+", term.replace("\x00", ""))
    if not words:
        return messages.none()
    query = SearchQuery(" & ".join(f"'{word}':*" for word in words), config="simple", search_type="raw")
    matching = messages.annotate(words=WORDS).filter(words=query).order_by().values("id")
    try:
        sql, params = matching.query.sql_with_params()
    except EmptyResultSet:
        return messages.none()
    # OFFSET 0 keeps LIMIT out of the inner plan, so PostgreSQL uses the word index instead of reading from the newest.
    newest = f"SELECT id FROM ({sql} OFFSET 0) AS found ORDER BY id DESC LIMIT {MAX_FOUND_MESSAGES}"  # noqa: S608
    with connection.cursor() as cursor:
        cursor.execute(newest, params)
        return messages.filter(pk__in=[pk for (pk,) in cursor.fetchall()])


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
    said_lately = _said_lately(query)
    if _is_frequent(conversations, said_lately):
        return _Said(said_lately, is_frequent=True)
    indexed = ConversationMessage.objects.annotate(words=WORDS).filter(words=query)
    return _Said(Q(pk__in=indexed.values("conversation_id")), is_frequent=False)


def _said_lately(query: SearchQuery) -> Q:
    """One of the conversation's newest messages has the words."""
    newest = ConversationMessage.objects.filter(conversation=OuterRef(OuterRef("pk"))).order_by("-created_at", "-id")
    with_words = ConversationMessage.objects.annotate(words=WORDS_UNINDEXED).filter(
        pk__in=newest.values("pk")[:NEWEST_MESSAGES], words=query
    )
    # Not EXISTS: PostgreSQL may turn that into one search through all messages.
    return Q(IsNull(Subquery(with_words.values("pk")[:1]), False))


def _is_frequent(conversations: "QuerySet[Any]", said_lately: Q) -> bool:
    newest = conversations.order_by(F("last_message_at").desc(nulls_last=True)).values_list("pk", flat=True)
    samples = [list(newest[start : start + SAMPLED]) for start in (0, FURTHER_DOWN)]
    found = Conversation.objects.filter(said_lately, pk__in=[pk for sample in samples for pk in sample])
    having = set(found.values_list("pk", flat=True))
    return all(len(having.intersection(sample)) >= FREQUENT for sample in samples if sample)
