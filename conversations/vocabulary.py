"""Collecting the words of messages and names after they were stored, and finding the nearest to a mistyped one.

PostgreSQL's pg_trgm would do it in the database; the embedded one has no extensions, and many a hosted one none either.
"""

import itertools
import re
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Length, Reverse
from rapidfuzz import process
from rapidfuzz.distance import DamerauLevenshtein

from runtime.clock import ago

from .models import ConversationMessage
from .words import LONGEST, SearchProgress, SearchWord

if TYPE_CHECKING:
    Words = QuerySet[SearchWord]

SWEPT_AT_ONCE = 5000  # messages
SETTLED_SECONDS = 60  # a message with a lower id may still be on its way into the table for this long
SHORTEST, LONG = 4, 8  # letters: shorter ones are not corrected; from so many on two slips are forgiven
CANDIDATES, OFFERED = 20_000, 3
_WORD = re.compile(rf"[^\W\d_]{{{SHORTEST},{LONGEST}}}")


def sweep() -> int:
    """Take in the words of the next messages. Always 0: nobody waits for more, the next sweep goes on."""
    with transaction.atomic():
        SearchProgress.objects.get_or_create(pk=1)
        progress = SearchProgress.objects.select_for_update(skip_locked=True).filter(pk=1).first()
        if progress is None:  # another worker is at it
            return 0
        later = ConversationMessage.objects.filter(pk__gt=progress.last_message_id).order_by("pk")
        settled = later.annotate(is_settled=Q(created_at__lte=ago(SETTLED_SECONDS)))
        rows = settled.values_list("is_settled", "pk", "conversation__tenant_id", "text", "conversation__contact_name")
        batch = list(itertools.takewhile(lambda row: row[0], rows[:SWEPT_AT_ONCE]))
        if batch:
            _take_in(
                {(tenant, word) for _, _, tenant, text, name in batch for word in words_of(f"{text[:10_000]} {name}")}
            )
            SearchProgress.objects.filter(pk=1).update(last_message_id=batch[-1][1])
    return 0


def words_of(text: str) -> set[str]:
    return set(_WORD.findall(text.lower()))


def _take_in(pairs: set[tuple[int | None, str]]) -> None:
    # Sorted, so that nobody who adds the same words waits crosswise.
    rows = [SearchWord(tenant_id=tenant, word=word) for tenant, word in sorted(pairs, key=lambda p: (p[0] or 0, p[1]))]
    SearchWord.objects.bulk_create(rows, ignore_conflicts=True, batch_size=2000)


def nearest(word: str, vocabulary: "Words") -> list[str]:
    """The words of this vocabulary that were probably meant; none when it knows one that begins like this."""
    word = word.lower()
    if not _WORD.fullmatch(word) or vocabulary.filter(word__startswith=word).exists():
        return []
    slips = 2 if len(word) >= LONG else 1
    found = process.extract(
        word, _like(word, slips, vocabulary), scorer=DamerauLevenshtein.distance, score_cutoff=slips, limit=50
    )
    return [other for other, distance, _ in found if distance == found[0][1]][:OFFERED]


def _like(word: str, slips: int, vocabulary: Any) -> list[str]:
    """What is no more than so many slips away has the word's beginning, or its end, whole.

    But for two slips of which one is at the beginning and one at the end: who does that types the word again.
    """
    whole = (len(word) - 1) // (slips + 1)
    shared = Q(word__startswith=word[:whole]) | Q(backwards__startswith=word[::-1][:whole])
    rows = vocabulary.alias(backwards=Reverse("word"), letters=Length("word")).filter(
        shared, letters__range=(len(word) - slips, len(word) + slips)
    )
    return list(rows.values_list("word", flat=True).distinct()[:CANDIDATES])
