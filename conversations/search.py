"""Find conversations by a name, a number, or a word of their messages and notes, in any script."""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import Expression, F, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Left
from django.db.models.lookups import Contains, IsNull

from runtime.row_security.scope import all_businesses, current
from runtime.words import pieces, query_words

from . import numbers
from .models import Conversation, ConversationMessage, ConversationNote
from .search_functions import Folded, FoldedName, Match, Words

MAX_TERM = 200  # characters
# A word is frequent when at least this many of the newest conversations contain it, and as many of those further down
# the list. Then a page is full long before the end of the list.
FREQUENT = 5
SAMPLED = 100
FURTHER_DOWN = 1000
# For a frequent word only the newest messages of each conversation are searched: a conversation may have 100,000.
NEWEST_MESSAGES = 1000
MAX_FOUND_MESSAGES = 1000

# The expressions of the indexes message_search and note_search.
TEXT = Words("text")
# Not the index's expression: PostgreSQL estimates that every prefix matches few rows, and would read the index for a
# word that nearly all messages contain.
TEXT_UNINDEXED = Words(Left("text", 10_000))

# What other apps know: the IDs of conversations whose data in those apps matches, and the businesses' own phone
# numbers.
elsewhere: "list[Callable[[str], QuerySet[Any, int]]]" = []
own_numbers: "list[Callable[[Collection[int] | None], Iterable[str]]]" = []


def find(
    conversations: QuerySet[Conversation], term: str, tenants: Collection[int] | None = None
) -> QuerySet[Conversation]:
    """The conversations that match every word of the term, by its beginning, or the term as a number.

    tenants: the businesses whose conversations these are, if known. Numbers are read as in their countries.
    """
    term = term[:MAX_TERM]
    if not pieces(term):
        return conversations.none()
    notes = ConversationNote.objects.filter(matching(term, TEXT, "text")).values_list("conversation_id", flat=True)
    found = _said(conversations, term) | Q(pk__in=indexed(notes))
    for search in elsewhere:
        found |= Q(pk__in=indexed(search(term)))
    found |= Q(external_id=term) | Q(contact_user_id=term) | numbered(term, "external_id", tenants)
    return conversations.filter(found | named(term, "contact_name"))


def indexed(conversation_ids: "QuerySet[Any, int]") -> "QuerySet[Any, int] | list[int]":
    """These IDs, found through a word index. It isn't used for statements under row-level security: there, PostgreSQL
    compares words only with the rows that it has found to be visible. So those get the IDs of their businesses first.
    """
    tenants = list(current().tenants)
    if current().everyone:
        return conversation_ids
    try:
        sql, params = conversation_ids.query.sql_with_params()
    except EmptyResultSet:
        return []
    ours = f"SELECT id FROM conversations WHERE tenant_id = ANY (%s) AND id IN ({sql} OFFSET 0)"  # noqa: S608
    with all_businesses(), connection.cursor() as cursor:
        cursor.execute(ours, [tenants, *params])
        return [pk for (pk,) in cursor.fetchall()]


def find_messages(messages: QuerySet[ConversationMessage], term: str) -> QuerySet[ConversationMessage]:
    """Among these messages, the one with this wamid, or the newest that contain every word (or its beginning)."""
    if term.startswith("wamid."):
        return messages.filter(external_id=term)
    if not pieces(term[:MAX_TERM]):
        return messages.none()
    found = messages.filter(matching(term[:MAX_TERM], TEXT, "text")).order_by().values("id")
    try:
        sql, params = found.query.sql_with_params()
    except EmptyResultSet:
        return messages.none()
    # OFFSET 0 keeps LIMIT out of the inner plan, so PostgreSQL uses the word index instead of reading from the newest.
    newest = f"SELECT id FROM ({sql} OFFSET 0) AS found ORDER BY id DESC LIMIT {MAX_FOUND_MESSAGES}"  # noqa: S608
    with all_businesses(), connection.cursor() as cursor:  # as for `indexed`; the rows are read in our scope
        cursor.execute(newest, params)
        return messages.filter(pk__in=[pk for (pk,) in cursor.fetchall()])


@dataclass(frozen=True, slots=True)
class FoundMessage:
    pk: int
    text: str
    before: int | None  # the page of the transcript before this message shows it; None: the newest page does


# Lookups in the index message_history.
_PLACES = """
SELECT m.conversation_id, m.id, m.text, ARRAY(
    SELECT n.id FROM conversation_messages n
    WHERE n.conversation_id = m.conversation_id AND (n.created_at, n.id) > (m.created_at, m.id)
    ORDER BY n.created_at, n.id LIMIT %(page_size)s)
FROM conversation_messages m WHERE m.id = ANY (%(ids)s)
"""


def newest_matches(conversation_ids: Sequence[int], term: str, page_size: int) -> dict[int, FoundMessage]:
    """By conversation ID, the newest message that contains the term, if it's among the newest of its conversation."""
    if not pieces(term[:MAX_TERM]):
        return {}
    rows = Conversation.objects.filter(pk__in=conversation_ids).annotate(
        found=Subquery(_recent_matches(term[:MAX_TERM]).order_by("-created_at", "-id").values("pk")[:1])
    )
    ids = [pk for pk in rows.values_list("found", flat=True) if pk is not None]
    with connection.cursor() as cursor:
        cursor.execute(_PLACES, {"ids": ids, "page_size": page_size})
        return {
            conversation_id: FoundMessage(pk, text, newer[page_size // 2] if len(newer) == page_size else None)
            for conversation_id, pk, text, newer in cursor.fetchall()
        }


def matching(term: str, words: Words, text: str | Expression) -> Q:
    """Rows whose `words`, those of `text`, contain all of the term.

    The pairs of a run say nothing about their order, so a longer run is also looked for as a whole.
    """
    query = " & ".join(f"'{word}':*" for word in query_words(term))
    wholes = [piece for piece in pieces(term) if len(query_words(piece)) > 1]
    return Q(Match(words, Value(query)), *(Q(Contains(Folded(text), whole)) for whole in wholes))


def named(term: str, column: str) -> Q:
    """A name contains every word of the term, anywhere."""
    return Q(*(Q(Contains(FoldedName(column), piece)) for piece in pieces(term)))


def numbered(term: str, column: str, tenants: Collection[int] | None) -> Q:
    """The term is a phone number, as people write it, or a part of one."""
    known = [number for numbers_of in own_numbers for number in numbers_of(tenants)]
    found = Q(pk__in=[])
    for digits in numbers.digits_of(term, known):
        found |= Q(**{f"{column}__contains": digits})
    return found


def _said(conversations: QuerySet[Conversation], term: str) -> Q:
    """Rare words are looked up in the index, which lists the matching messages. For frequent words that list would be
    long: each conversation is checked instead, newest first, until the page is full."""
    said_lately = _said_lately(term)
    if is_frequent(conversations, said_lately):
        return said_lately
    said = ConversationMessage.objects.filter(matching(term, TEXT, "text"))
    return Q(pk__in=indexed(said.values_list("conversation_id", flat=True)))


def _said_lately(term: str) -> Q:
    """One of the conversation's newest messages contains the words."""
    # Not EXISTS: PostgreSQL may turn that into one search through all messages.
    return Q(IsNull(Subquery(_recent_matches(term).values("pk")[:1]), False))


def _recent_matches(term: str) -> "QuerySet[ConversationMessage]":
    newest = ConversationMessage.objects.filter(conversation=OuterRef(OuterRef("pk"))).order_by("-created_at", "-id")
    return ConversationMessage.objects.filter(
        matching(term, TEXT_UNINDEXED, "text"), pk__in=newest.values("pk")[:NEWEST_MESSAGES]
    )


def is_frequent(conversations: QuerySet[Conversation], said_lately: Q) -> bool:
    newest = conversations.order_by(F("last_message_at").desc(nulls_last=True)).values_list("pk", flat=True)
    samples = [list(newest[start : start + SAMPLED]) for start in (0, FURTHER_DOWN)]
    found = Conversation.objects.filter(said_lately, pk__in=[pk for sample in samples for pk in sample])
    matching = set(found.values_list("pk", flat=True))
    return all(len(matching.intersection(sample)) >= FREQUENT for sample in samples if sample)
