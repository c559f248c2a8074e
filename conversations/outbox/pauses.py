"""Where we do not call for a while: a throttled app, a number whose token was refused, a model without credit.

One row a scope, in the database, because every worker on every machine must hold back.
"""

import datetime as dt
import hashlib

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now


class PauseQuerySet(models.QuerySet["Pause"]):
    def active(self) -> "PauseQuerySet":
        return self.filter(Q(until__isnull=True) | Q(until__gt=Now()))


class Pause(models.Model):
    """No calls to `scope` before `until`; with `until` empty, not before the credential changes or a person resumes."""

    scope = models.CharField(max_length=300, help_text="number:<id>, waba:<id>, app, model:<endpoint>")
    reason = models.TextField()
    error_code = models.IntegerField(null=True, blank=True)
    # A pause that belongs to one credential ends when another is used: its hash, empty for any.
    credential = models.CharField(max_length=64, blank=True, default="")
    until = models.DateTimeField(null=True, blank=True)
    step = models.PositiveSmallIntegerField(default=0, help_text="How many times in a row; sets the next wait.")
    since = models.DateTimeField(db_default=Now())

    objects = PauseQuerySet.as_manager()

    class Meta:
        db_table = "pauses"
        constraints = [models.UniqueConstraint(fields=["scope"], name="pause_once_by_scope")]

    def __str__(self) -> str:
        return f"{self.scope}: {self.reason}"

    def holds(self, credential: str) -> bool:
        """Whether this (active) pause is meant for a caller with that credential."""
        return self.credential in ("", fingerprint(credential))


def fingerprint(credential: str) -> str:
    """A short hash that tells two credentials apart and gives neither away."""
    return hashlib.sha256(credential.encode()).hexdigest()[:16] if credential else ""


_ACTIVE = "SELECT * FROM pauses WHERE scope = ANY (%s) AND (until IS NULL OR until > statement_timestamp())"


def active_pause(scopes: list[str], credential: str) -> Pause | None:
    """The pause of these scopes that lasts longest, if any holds for this credential now."""
    active = Pause.objects.raw(_ACTIVE, [scopes])
    holding = [pause for pause in active if pause.holds(credential)]
    forever = dt.datetime.max.replace(tzinfo=dt.UTC)
    return max(holding, key=lambda pause: pause.until or forever, default=None)
