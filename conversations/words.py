"""The words that each business saw: where a search finds nothing, the nearest of them is searched."""

from django.contrib.postgres.indexes import OpClass
from django.db import models
from django.db.models.functions import Reverse

from tenants.models import Tenant

LONGEST = 40


class SearchWord(models.Model):
    """A word, once for each business: nobody is offered a word that only another business has seen."""

    tenant = models.ForeignKey(Tenant, null=True, on_delete=models.CASCADE, related_name="+", db_index=False)
    word = models.CharField(max_length=LONGEST)

    class Meta:
        db_table = "search_words"
        constraints = [
            models.UniqueConstraint(fields=["tenant", "word"], name="search_word_once", nulls_distinct=False),
        ]
        indexes = [
            # Words like the one that was mistyped: those that share its beginning, or its end.
            models.Index(OpClass("word", "text_pattern_ops"), "tenant", name="search_word_beginning"),
            models.Index(OpClass(Reverse("word"), "text_pattern_ops"), "tenant", name="search_word_end"),
        ]

    def __str__(self) -> str:
        return self.word


class SearchProgress(models.Model):
    """One row: up to which message the words were collected."""

    last_message_id = models.BigIntegerField(default=0)

    class Meta:
        db_table = "search_progress"

    def __str__(self) -> str:
        return f"up to message {self.last_message_id}"
