"""Finds older messages of one conversation by their words, the best first.

It works like BM25: rare words count more, and long messages count less. How rare a word is depends on the conversation
alone. A message also gets a part of the score of those around it, and of the best one of its day. The first messages
that are found say which other words belong to the subject; they are looked for as well, and count less.

The index `message_recall` has each message's conversation as a word of its own. So only the messages of this
conversation are read, and of each word at most `MOST_HITS`. In a long conversation, frequent words are left out.
"""

import datetime as dt
import math
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from django.db import connection

from conversations.models import ConversationMessage
from runtime.words import index_words, quoted

MOST_WORDS = 40  # of a question
MOST_HITS = 400  # messages that have a word
MOST_COUNTED = 2_000  # older messages, to say how rare a word is
MOST_CANDIDATES = 120
FREQUENT = 0.15  # a word that more of the older messages have doesn't count, if there are others
SAMPLED, SAMPLED_FREQUENT = 200, 0.5  # in long conversations, such words aren't even looked for
OF_PREVIOUS = 0.4  # how much a word of the customer's previous message counts
NEIGHBOURS = {1: 0.5, 2: 0.35}  # how much of a message's score others get, by their distance
OF_BEST = 0.3  # how much of the score of their day's best message they get
TOGETHER = dt.timedelta(hours=6)  # between two messages that belong together, at most
FIRST, RELATED, OF_RELATED = 3, 6, 0.3  # messages that related words are taken from, their number, and how they count
MOST_RELATED = 24  # words that are looked at
LONG = 5  # letters, by which longer words are compared
SILENT = ["edit", "revoke", "system", "note", "request_welcome", "reaction"]
SATURATION, LENGTH = 1.2, 0.5  # BM25's k1 and b

Scores = dict[int, float]  # by message ID


@dataclass(frozen=True, slots=True)
class Older:
    """The messages of a conversation before the one with this time and ID."""

    conversation_id: int
    created_at: dt.datetime
    id: int

    def find(self, question: str, previous: str = "") -> list[ConversationMessage]:
        """The messages that match best, best first. previous: what the customer asked before."""
        weights = dict.fromkeys(words_of(previous), OF_PREVIOUS) | dict.fromkeys(words_of(question), 1.0)
        number = self._number()
        if not number or not weights:
            return []
        frequent = self._frequent() if number == MOST_COUNTED else set[str]()
        weights = {word: weights[word] for word in weights if word not in frequent}
        scores = self._scores(weights, number)
        first = self._around(best(scores, FIRST), 0)
        related = _related([message for found in first.values() for message in found], {*weights, *frequent})
        others = self._scores(related, number, RELATED) if related else {}
        scale = OF_RELATED * max(scores.values(), default=0.0) / max(others.values(), default=1.0)
        for pk, score in others.items():
            scores[pk] = scores.get(pk, 0.0) + scale * score
        chosen = best(scores, MOST_CANDIDATES)
        return _spread(self._around(chosen, max(NEIGHBOURS)), {pk: scores[pk] for pk in chosen})

    def _number(self) -> int:
        """How many messages there are; at most `MOST_COUNTED`."""
        with connection.cursor() as cursor:
            cursor.execute(_COUNT, self._parameters())
            return int(cursor.fetchone()[0])

    def _frequent(self) -> set[str]:
        """Words that aren't worth looking for in a long conversation, by its newest messages."""
        with connection.cursor() as cursor:
            cursor.execute(_NEWEST, self._parameters())
            texts = [text for (text,) in cursor.fetchall()]
        count = Counter(word for text in texts for word in set(words_of(text)))
        return {word for word, times in count.items() if times > SAMPLED_FREQUENT * len(texts)}

    def _scores(self, weights: Mapping[str, float], number: int, most: int = MOST_WORDS) -> Scores:
        """By the words that weigh and are rare the most."""
        words = sorted(weights, key=lambda word: -weights[word])[:MOST_WORDS]
        queries = [f"'#{self.conversation_id}' & {quoted(word)}" for word in words]
        with connection.cursor() as cursor:
            cursor.execute(_HITS, {**self._parameters(), "queries": queries})
            hits = [_Hit(*row) for row in cursor.fetchall()]
        return _scored(hits, [weights[word] for word in words], number, most)

    def _around(self, ids: Sequence[int], reach: int) -> dict[int, list[ConversationMessage]]:
        """Each of these messages with its neighbours, in order."""
        found: defaultdict[int, list[ConversationMessage]] = defaultdict(list)
        with connection.cursor() as cursor:
            cursor.execute(_AROUND, {**self._parameters(), "ids": list(ids), "reach": reach})
            for found_id, *columns in cursor.fetchall():
                found[found_id].append(ConversationMessage(**dict(zip(COLUMNS, columns, strict=True))))
        return found

    def _parameters(self) -> dict[str, int | dt.datetime | list[str] | list[int]]:
        return {"conversation": self.conversation_id, "created_at": self.created_at, "id": self.id, "silent": SILENT}


class _Hit(NamedTuple):
    place: int  # of the word, from 1 on
    id: int
    length: int


COLUMNS = ("id", "conversation_id", "role", "origin", "kind", "text", "spoken", "created_at")
# All of this SQL is ours.
_SHOWN = """m.conversation_id = %(conversation)s AND (m.created_at, m.id) < (%(created_at)s, %(id)s)
    AND m.kind <> ALL (%(silent)s) AND m.text <> '' AND m.refused = '' AND m.role <> 'system'"""
_COUNT = f"SELECT count(*) FROM (SELECT FROM conversation_messages m WHERE {_SHOWN} LIMIT {MOST_COUNTED}) AS older"  # noqa: S608
_NEWEST = f"""
SELECT m.text FROM conversation_messages m WHERE {_SHOWN} ORDER BY m.created_at DESC, m.id DESC LIMIT {SAMPLED}
"""  # noqa: S608
# OFFSET 0 keeps the planner from reading the whole conversation instead of the index.
_HITS = f"""
SELECT wanted.place, found.id, found.length FROM unnest(%(queries)s::text[]) WITH ORDINALITY AS wanted(query, place)
CROSS JOIN LATERAL (
    SELECT m.id, length(m.text) + length(m.spoken) AS length FROM (
        SELECT * FROM conversation_messages
        WHERE recall_words(conversation_id, text || ' ' || spoken) @@ wanted.query::tsquery OFFSET 0) AS m
    WHERE {_SHOWN} LIMIT {MOST_HITS}
) AS found
"""  # noqa: S608
_NEXT = f"(SELECT {', '.join(COLUMNS)} FROM conversation_messages m WHERE {_SHOWN} AND (m.created_at, m.id)"  # noqa: S608
_AROUND = f"""
SELECT hit.id AS found_id, around.* FROM conversation_messages AS hit CROSS JOIN LATERAL (
    {_NEXT} <= (hit.created_at, hit.id) ORDER BY m.created_at DESC, m.id DESC LIMIT %(reach)s + 1)
    UNION ALL {_NEXT} > (hit.created_at, hit.id) ORDER BY m.created_at, m.id LIMIT %(reach)s)
) AS around
WHERE hit.id = ANY (%(ids)s) AND hit.conversation_id = %(conversation)s
ORDER BY hit.id, around.created_at, around.id
"""  # noqa: S608


def shown(conversation_id: int, ids: Sequence[int]) -> list[ConversationMessage]:
    """Those of these messages that can still be shown, in order."""
    rows = ConversationMessage.objects.filter(conversation=conversation_id, pk__in=ids, refused="").exclude(text="")
    return list(rows.defer("raw_json").order_by("created_at", "pk"))


def words_of(text: str) -> list[str]:
    """As the database's function `recall_words` returns them."""
    return [f"{word[:LONG]}~" if len(word) > LONG else word for word in index_words(text)]


def best(scores: Scores, number: int) -> list[int]:
    return sorted(scores, key=lambda pk: (-scores[pk], -pk))[:number]


def _scored(hits: Sequence[_Hit], weights: Sequence[float], number: int, most: int) -> Scores:
    """number: how many messages were searched."""
    frequency = Counter(hit.place for hit in hits)
    rare = {place for place, found in frequency.items() if found <= max(2, FREQUENT * number)} or set(frequency)
    values = {place: weights[place - 1] * math.log(1 + number / (frequency[place] + 0.5)) for place in rare}
    counting = set(sorted(values, key=lambda place: -values[place])[:most])
    lengths = {hit.id: hit.length for hit in hits}
    mean = max(1.0, sum(lengths.values()) / max(1, len(lengths)))
    scores: defaultdict[int, float] = defaultdict(float)
    for hit in hits:
        if hit.place in counting:
            size = SATURATION * (1 - LENGTH + LENGTH * hit.length / mean)
            scores[hit.id] += values[hit.place] * (1 + SATURATION) / (1 + size)
    return dict(scores)


def _related(messages: Iterable[ConversationMessage], known: Collection[str]) -> dict[str, float]:
    """Longer words of these messages, with the number of messages that share them."""
    count = Counter(word for message in messages for word in set(words_of(message.text)))
    found = {word: float(times) for word, times in count.items() if len(word) >= LONG - 1 and word not in known}
    return dict(sorted(found.items(), key=lambda pair: (-pair[1], -len(pair[0]), pair[0]))[:MOST_RELATED])


def _spread(around: Mapping[int, Sequence[ConversationMessage]], scores: Scores) -> list[ConversationMessage]:
    """All of these messages, best first, with the parts that they get of each other's scores."""
    messages = {message.pk: message for found in around.values() for message in found}
    total: defaultdict[int, float] = defaultdict(float)
    for pk, found in around.items():
        place = next(n for n, message in enumerate(found) if message.pk == pk)
        for n, message in enumerate(found):
            if abs(message.created_at - messages[pk].created_at) <= TOGETHER:
                total[message.pk] += scores[pk] * (NEIGHBOURS[abs(n - place)] if n != place else 1.0)
    of_day: defaultdict[dt.date, float] = defaultdict(float)
    for pk, score in total.items():
        of_day[messages[pk].created_at.date()] = max(of_day[messages[pk].created_at.date()], score)
    for pk in total:
        total[pk] += OF_BEST * of_day[messages[pk].created_at.date()]
    return [messages[pk] for pk in best(total, len(total))]
