r"""What a business's assistant knows: sources, and the chunks that its texts are split into.

The life of a source (`Source.state`)::

    waiting --claimed--> reading --read, its chunks are stored--> ready
       ^                    \--given up: `error` says what to do--> failed
       \--- someone reads it again, or `repeat_days` have passed ----/

Questions and texts are *ready* from the beginning. The other kinds form a backlog: rows with `next_attempt_at`.
"""

import uuid
from pathlib import PurePath
from typing import Any, Self

from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVectorField
from django.core.validators import MaxValueValidator
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.db.models.signals import post_delete
from django.dispatch import receiver

from conversations.files import removal
from runtime.untrusted_json import one_line
from tenants.models import Tenant

from .unanswered import UnansweredQuestion

__all__ = ["Chunk", "ChunkVector", "FrequentTerm", "Source", "UnansweredQuestion"]

LONGEST_TITLE = 500  # characters; the title of a question is the question
LONGEST_ANSWER = 4_000  # so that a question is one chunk
LONGEST_TEXT = 1_000_000  # of any source


class SourceKind(models.TextChoices):
    QUESTION = "question", "Question and answer"
    TEXT = "text", "Text"
    FILE = "file", "File"
    PAGE = "page", "Web page"
    SITEMAP = "sitemap", "Sitemap"


class SourceState(models.TextChoices):
    WAITING = "waiting", "Waiting to be read"
    READING = "reading", "Being read"
    READY = "ready", "Ready"
    FAILED = "failed", "Couldn't be read"


WRITTEN_HERE = (SourceKind.QUESTION, SourceKind.TEXT)
SETTLED = (SourceState.READY, SourceState.FAILED)  # no one is working on it


class SourceQuerySet(models.QuerySet["Source"]):
    def in_use(self) -> Self:
        """What the assistant may know now. A source that's being read again, or failed to be, keeps its chunks."""
        return self.filter(Q(expires_at=None) | Q(expires_at__gt=Now()), enabled=True)

    def locked(self, source: "Source") -> "Source | None":
        """The row as it is now, locked; None if it was deleted or claimed again meanwhile."""
        return self.select_for_update(no_key=True).filter(pk=source.pk, fence=source.fence).first()


class Source(models.Model):
    """Something that the assistant knows: a question and its answer, a text, a file, a web page or a whole website."""

    Kind = SourceKind
    State = SourceState

    tenant = models.ForeignKey(
        Tenant, on_delete=models.CASCADE, related_name="knowledge", db_index=False, verbose_name="business"
    )
    kind = models.CharField(max_length=16, choices=SourceKind.choices)
    title = models.CharField(max_length=LONGEST_TITLE, blank=True, default="", db_default="")
    text = models.TextField(
        blank=True, default="", db_default="", help_text="What the assistant knows from it. Of a question, the answer."
    )
    file = models.FileField(max_length=255, blank=True, default="", db_default="")
    filename = models.CharField(max_length=255, blank=True, default="", db_default="")
    url = models.CharField("URL", max_length=2000, blank=True, default="", db_default="")
    public_url = models.URLField(
        "link for customers",
        max_length=2000,
        blank=True,
        default="",
        db_default="",
        help_text="Customers get it with answers from this source. Leave it empty if there's no public page.",
    )
    parent = models.ForeignKey(
        "self",
        null=True,
        blank=True,
        editable=False,
        on_delete=models.CASCADE,
        related_name="pages",
        db_index=False,
        help_text="The sitemap that lists this page.",
    )
    enabled = models.BooleanField(
        "in use", default=True, db_default=True, help_text="When off, the assistant doesn't use it."
    )
    expires_at = models.DateTimeField(
        "until",
        null=True,
        blank=True,
        help_text="The assistant stops using it at this time. Leave empty for no end.",
    )
    repeat_days = models.PositiveSmallIntegerField(
        "read again every",
        default=0,
        db_default=0,
        validators=[MaxValueValidator(365)],
        help_text="In days. 0: only when you ask for it.",
    )

    state = models.CharField(
        max_length=16, choices=SourceState.choices, default=SourceState.READY, db_default=SourceState.READY.value
    )
    progress = models.CharField(max_length=100, blank=True, default="", db_default="", editable=False)
    error = models.TextField(
        blank=True, default="", db_default="", editable=False, help_text="Why it couldn't be read, and what to do."
    )
    fence = models.PositiveIntegerField(default=0, db_default=0, editable=False, help_text="The number of claims.")
    settled_fence = models.PositiveIntegerField(
        default=0, db_default=0, editable=False, help_text="The number of claims when it was last read or given up."
    )
    next_attempt_at = models.DateTimeField(null=True, blank=True, editable=False)
    changes = models.TextField(
        blank=True, default="", db_default="", editable=False, help_text="What was different when it last changed."
    )
    changed_at = models.DateTimeField(null=True, blank=True, editable=False)
    read_at = models.DateTimeField(null=True, blank=True, editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    updated_at = models.DateTimeField(db_default=Now(), editable=False)

    objects = SourceQuerySet.as_manager()

    class Meta:
        db_table = "knowledge_sources"
        verbose_name = "knowledge source"
        verbose_name_plural = "knowledge"
        constraints = [
            models.CheckConstraint(condition=Q(kind__in=SourceKind.values), name="knowledge_source_kind_known"),
            models.CheckConstraint(condition=Q(state__in=SourceState.values), name="knowledge_source_state_known"),
            # A sitemap's pages.
            models.UniqueConstraint(fields=["parent", "url"], name="knowledge_page_once"),
        ]
        indexes = [
            # The claim: what is due for each business.
            models.Index(
                fields=["tenant", "next_attempt_at"],
                name="knowledge_source_due",
                condition=Q(next_attempt_at__isnull=False),
            ),
            # The list of a business's sources.
            models.Index(F("tenant"), F("id").desc(), name="knowledge_source_list"),
        ]

    def __str__(self) -> str:
        return one_line(self.title, 120) or self.filename or self.url or f"Source {self.pk}"

    @property
    def link(self) -> str:
        """For customers, with an answer from this source; "" if there's none."""
        return self.public_url or (self.url if self.kind == SourceKind.PAGE else "")


class Chunk(models.Model):
    """A part of a source that fits into a search result. Chunks are only ever replaced, all of a source at once."""

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+", db_index=False)
    source = models.ForeignKey(Source, on_delete=models.CASCADE, related_name="chunks", db_index=False)
    position = models.PositiveIntegerField(help_text="From 0.")
    heading = models.CharField(
        max_length=LONGEST_TITLE, blank=True, default="", db_default="", help_text="The headings above it: “A > B”."
    )
    text = models.TextField()
    words = SearchVectorField(
        help_text="Title, headings and text, as `knowledge.indexing.lexeme` writes them. With positions."
    )
    length = models.PositiveIntegerField(help_text="The number of words.")
    tokens = models.PositiveIntegerField(help_text="About how many a model counts, with title and headings.")

    class Meta:
        db_table = "knowledge_chunks"
        constraints = [models.UniqueConstraint(fields=["source", "position"], name="knowledge_chunk_once")]
        indexes = [
            # The search. Every lexeme begins with its business, so that the others' chunks aren't even looked at.
            GinIndex(fields=["words"], name="knowledge_chunk_words"),
            # The size of a business's knowledge.
            models.Index(fields=["tenant", "source"], name="knowledge_chunk_tenant", include=["tokens", "length"]),
        ]

    def __str__(self) -> str:
        return f"{self.source_id}, {self.position}"


class ChunkVector(models.Model):
    """A chunk's vector. The column `vector` isn't one of Django's: it's only there where pgvector is.

    It has no dimension, and no index: each business may have its own model, and an exact search through the rows of one
    business finds everything. With one index for all businesses, small ones would find nothing.
    """

    chunk = models.OneToOneField(Chunk, on_delete=models.CASCADE, primary_key=True, related_name="vector")
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+", db_index=False)
    space = models.CharField(max_length=64, help_text="Vectors of different models can't be compared.")
    dimensions = models.PositiveIntegerField()

    class Meta:
        db_table = "knowledge_vectors"
        # The exact search through a business's vectors.
        indexes = [models.Index(fields=["tenant", "space"], name="knowledge_vector_search")]

    def __str__(self) -> str:
        return f"vector of chunk {self.chunk_id}"


class FrequentTerm(models.Model):
    """How many chunks of a large business have a frequent word, so that a search needn't count them."""

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+", db_index=False)
    term = models.CharField(max_length=150, help_text="As `runtime.idf_rank` searches it. '' for all chunks.")
    chunks = models.PositiveIntegerField()

    class Meta:
        db_table = "knowledge_frequent_terms"
        constraints = [models.UniqueConstraint(fields=["tenant", "term"], name="knowledge_frequent_term_once")]

    def __str__(self) -> str:
        return f"{self.term}: {self.chunks}"


def stored_name(filename: str) -> str:
    """A new name in the storage. Of the uploader's name, only a plain ending is kept."""
    ending = PurePath(filename).suffix.lower()
    return f"knowledge/{uuid.uuid4().hex}{ending if ending[1:].isalnum() and ending.isascii() else ''}"[:100]


@receiver(post_delete, sender=Source)
def remove_file(instance: Source, **kwargs: Any) -> None:
    """A file leaves the storage with its row."""
    removal.remove_on_commit(filter(None, [instance.file.name]))
