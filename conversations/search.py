"""Find conversations by a name, a number, or a word of their messages."""

import re

from django.contrib.postgres.search import SearchQuery, SearchVector
from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import F, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Left
from django.db.models.lookups import IsNull

from .models import Conversation, ConversationMessage

# A word is frequent when at least this many of the newest conversations contain it, and as many of those further down
# the list. Then a page is full long before the end of the list.
FREQUENT = 5
SAMPLED = 100
FURTHER_DOWN = 1000
# For a frequent word only the newest messages of each conversation are searched: a conversation may have 100,000.
NEWEST_MESSAGES = 1000
MAX_FOUND_MESSAGES = 1000

# The expression of the index message_words. No language rules: customers write in any language.
WORDS = SearchVector(Left("text", 10_000), config="simple")
# One character shorter, so that the index is not used: PostgreSQL estimates that every prefix matches few rows, and
# would read the index for a word that nearly all messages contain.
WORDS_UNINDEXED = SearchVector(Left("text", 9_999), config="simple")


def find(conversations: QuerySet[Conversation], term: str) -> QuerySet[Conversation]:
    """The conversations that match every word of the term, by its beginning, or the term as a number."""
    words = re.findall(r"\w+", term.replace("\x00", ""))
    if not words:
        return conversations.none()
    named = Q(*(Q(contact_name__icontains=word) for word in words))
    return conversations.filter(named | _numbered(term) | _said(conversations, words))


def find_messages(messages: QuerySet[ConversationMessage], term: str) -> QuerySet[ConversationMessage]:
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


def _numbered(term: str) -> Q:
    digits = re.sub(r"[\s()+./-]", "", term)
    if not digits.isdecimal():
        return Q(external_id=term) | Q(contact_user_id=term)
    return Q(external_id__contains=digits)


def _said(conversations: QuerySet[Conversation], words: list[str]) -> Q:
    """Rare words are looked up in the index, which lists the matching messages. For frequent words that list would be
    long: each conversation is checked instead, newest first, until the page is full."""
    query = SearchQuery(" & ".join(f"'{word}':*" for word in words), config="simple", search_type="raw")
    said_lately = _said_lately(query)
    if is_frequent(conversations, said_lately):
        return said_lately
    indexed = ConversationMessage.objects.annotate(words=WORDS).filter(words=query)
    return Q(pk__in=indexed.values("conversation_id"))


def _said_lately(query: SearchQuery) -> Q:
    """One of the conversation's newest messages contains the words."""
    newest = ConversationMessage.objects.filter(conversation=OuterRef(OuterRef("pk"))).order_by("-created_at", "-id")
    with_words = ConversationMessage.objects.annotate(words=WORDS_UNINDEXED).filter(
        pk__in=newest.values("pk")[:NEWEST_MESSAGES], words=query
    )
    # Not EXISTS: PostgreSQL may turn that into one search through all messages.
    return Q(IsNull(Subquery(with_words.values("pk")[:1]), False))


def is_frequent(conversations: QuerySet[Conversation], said_lately: Q) -> bool:
    newest = conversations.order_by(F("last_message_at").desc(nulls_last=True)).values_list("pk", flat=True)
    samples = [list(newest[start : start + SAMPLED]) for start in (0, FURTHER_DOWN)]
    found = Conversation.objects.filter(said_lately, pk__in=[pk for sample in samples for pk in sample])
    matching = set(found.values_list("pk", flat=True))
    return all(len(matching.intersection(sample)) >= FREQUENT for sample in samples if sample)
