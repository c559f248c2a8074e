"""Finds older messages of one conversation by their words, the best first.

It works like BM25: rare words count more, and long messages count less. How rare a word is depends on the conversation
alone. What was said right before and after a message that matches counts, too. Only the index and the rows that it
points to are read, and of each word at most `MOST_HITS` messages.
"""

import datetime as dt
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from django.db import connection

from conversations.models import ConversationMessage
from runtime.words import index_words

MOST_WORDS = 40  # of a question
MOST_HITS = 500  # messages that have a word
MOST_COUNTED = 2_000  # older messages, to say how rare a word is
MOST_CANDIDATES = 60
FREQUENT = 0.1  # a word in more of the older messages than this doesn't count, if there are others
OF_PREVIOUS = 0.4  # how much a word of the customer's previous message counts
NEIGHBOURS = {1: 0.5, 2: 0.25}  # how much of a message's score others get, by their distance
TOGETHER = dt.timedelta(hours=6)  # between two messages that belong together, at most
SILENT = ["edit", "revoke", "system", "note", "request_welcome", "reaction"]
SATURATION, LENGTH = 1.2, 0.4  # BM25's k1 and b
COLUMNS = ("id", "conversation_id", "role", "origin", "kind", "text", "created_at")  # all that recall needs


@dataclass(frozen=True, slots=True)
class Older:
    """The messages of a conversation before the one with this time and ID."""

    conversation_id: int
    created_at: dt.datetime
    id: int

    def find(self, question: str, previous: str = "") -> list[ConversationMessage]:
        """The messages that match best, best first. previous: what the customer asked before."""
        weights = dict.fromkeys(index_words(previous), OF_PREVIOUS) | dict.fromkeys(index_words(question), 1.0)
        words = sorted(weights, key=lambda word: -weights[word])[:MOST_WORDS]
        number = self._number()
        if not number or not words:
            return []
        scores = _scores(self._hits(words), [weights[word] for word in words], number)
        best = sorted(scores, key=lambda pk: (-scores[pk], -pk))[:MOST_CANDIDATES]
        return _with_neighbours(self._around(best), {pk: scores[pk] for pk in best})

    def _number(self) -> int:
        """How many messages there are; at most `MOST_COUNTED`."""
        with connection.cursor() as cursor:
            cursor.execute(_COUNT, self._parameters())
            return int(cursor.fetchone()[0])

    def _hits(self, words: Sequence[str]) -> list["_Hit"]:
        queries = ["'{}'".format(word.replace("\\", "\\\\").replace("'", "''")) for word in words]
        with connection.cursor() as cursor:
            cursor.execute(_HITS, {**self._parameters(), "queries": queries})
            return [_Hit(*row) for row in cursor.fetchall()]

    def _around(self, ids: Sequence[int]) -> dict[int, list[ConversationMessage]]:
        """Each of these messages with its neighbours, in order."""
        found: defaultdict[int, list[ConversationMessage]] = defaultdict(list)
        with connection.cursor() as cursor:
            cursor.execute(_AROUND, {**self._parameters(), "ids": list(ids)})
            for found_id, *columns in cursor.fetchall():
                found[found_id].append(ConversationMessage(**dict(zip(COLUMNS, columns, strict=True))))
        return found

    def _parameters(self) -> dict[str, int | dt.datetime | list[str] | list[int]]:
        return {
            "conversation": self.conversation_id,
            "created_at": self.created_at,
            "id": self.id,
            "silent": SILENT,
        }


class _Hit(NamedTuple):
    place: int  # of the word, from 1 on
    id: int
    length: int


# All of this SQL is ours.
_SHOWN = """m.conversation_id = %(conversation)s AND (m.created_at, m.id) < (%(created_at)s, %(id)s)
    AND m.kind <> ALL (%(silent)s) AND m.text <> '' AND m.refused = '' AND m.role <> 'system'"""
_COUNT = f"SELECT count(*) FROM (SELECT FROM conversation_messages m WHERE {_SHOWN} LIMIT {MOST_COUNTED}) AS older"  # noqa: S608
# OFFSET 0 keeps the planner from reading the whole conversation instead of the index.
_HITS = f"""
SELECT wanted.place, found.id, found.length FROM unnest(%(queries)s::text[]) WITH ORDINALITY AS wanted(query, place)
CROSS JOIN LATERAL (
    SELECT m.id, length(m.text) AS length FROM (
        SELECT * FROM conversation_messages WHERE to_tsvector('simple', "left"(text, 10000)) @@ wanted.query::tsquery
        OFFSET 0) AS m
    WHERE {_SHOWN} LIMIT {MOST_HITS}
) AS found
"""  # noqa: S608
_NEXT = f"(SELECT {', '.join(COLUMNS)} FROM conversation_messages m WHERE {_SHOWN} AND (m.created_at, m.id)"  # noqa: S608
_AROUND = f"""
SELECT hit.id AS found_id, around.* FROM conversation_messages AS hit CROSS JOIN LATERAL (
    {_NEXT} <= (hit.created_at, hit.id) ORDER BY m.created_at DESC, m.id DESC LIMIT {max(NEIGHBOURS) + 1})
    UNION ALL {_NEXT} > (hit.created_at, hit.id) ORDER BY m.created_at, m.id LIMIT {max(NEIGHBOURS)})
) AS around
WHERE hit.id = ANY (%(ids)s) AND hit.conversation_id = %(conversation)s
ORDER BY hit.id, around.created_at, around.id
"""  # noqa: S608


def shown(conversation_id: int, ids: Sequence[int]) -> list[ConversationMessage]:
    """Of these messages, those that can still be shown, in order."""
    rows = ConversationMessage.objects.filter(conversation=conversation_id, pk__in=ids, refused="").exclude(text="")
    return list(rows.defer("raw_json").order_by("created_at", "pk"))


def _scores(hits: Iterable[_Hit], weights: Sequence[float], number: int) -> dict[int, float]:
    """Of the messages, by ID. number: how many messages were searched."""
    hits = list(hits)
    frequency = Counter(hit.place for hit in hits)
    rare = {place for place, found in frequency.items() if found <= max(2, FREQUENT * number)} or set(frequency)
    lengths = {hit.id: hit.length for hit in hits}
    mean = sum(lengths.values()) / max(1, len(lengths))
    scores: defaultdict[int, float] = defaultdict(float)
    for hit in hits:
        if hit.place in rare:
            rarity = math.log(1 + number / (frequency[hit.place] + 0.5))
            size = SATURATION * (1 - LENGTH + LENGTH * hit.length / mean)
            scores[hit.id] += weights[hit.place - 1] * rarity * (1 + SATURATION) / (1 + size)
    return scores


def _with_neighbours(
    around: Mapping[int, Sequence[ConversationMessage]], scores: Mapping[int, float]
) -> list[ConversationMessage]:
    """All of these messages, best first."""
    messages = {message.pk: message for found in around.values() for message in found}
    total: defaultdict[int, float] = defaultdict(float)
    for pk, found in around.items():
        place = next(n for n, message in enumerate(found) if message.pk == pk)
        for n, message in enumerate(found):
            if abs(message.created_at - messages[pk].created_at) <= TOGETHER:
                total[message.pk] += scores[pk] * NEIGHBOURS.get(abs(n - place), 1.0 if n == place else 0.0)
    return [messages[pk] for pk in sorted(total, key=lambda pk: (-total[pk], -pk))]
