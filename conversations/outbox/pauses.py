"""Pauses: what isn't called for a while, such as a throttled app, a number whose token was refused, or a model without
credit. Stored as one row per scope, because they apply to every worker on every machine.
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
    """No calls to `scope` before `until`; if that's empty, until the credential changes or someone resumes."""

    scope = models.CharField(max_length=300, help_text="number:<id>, waba:<id>, app, model:<endpoint>")
    reason = models.TextField()
    error_code = models.IntegerField(null=True, blank=True)
    # The hash of the credential that the pause applies to; empty for any. A new credential ends the pause.
    credential = models.CharField(max_length=64, blank=True, default="")
    until = models.DateTimeField(null=True, blank=True)
    step = models.PositiveSmallIntegerField(default=0, help_text="How many pauses in a row; determines the next wait.")
    since = models.DateTimeField(db_default=Now())

    objects = PauseQuerySet.as_manager()

    class Meta:
        db_table = "pauses"
        constraints = [models.UniqueConstraint(fields=["scope"], name="pause_once_by_scope")]

    def __str__(self) -> str:
        return f"{self.what}: {self.why}"

    @property
    def what(self) -> str:
        """What isn't called, in words."""
        kind, _, name = self.scope.partition(":")
        if kind == "model":  # model:<URL>:<hash of the key>
            return f"Model at {name.rpartition(':')[0]}"
        return {"number": f"Number {name}", "waba": f"WhatsApp Business Account {name}"}.get(kind, "The whole Meta app")

    @property
    def why(self) -> str:
        """The reason, without the kind of failure that a model's begins with."""
        return self.reason.partition(": ")[2] or self.reason if self.scope.startswith("model:") else self.reason

    def holds(self, credential: str) -> bool:
        """Whether this active pause applies to this credential."""
        return self.credential in ("", fingerprint(credential))


def fingerprint(credential: str) -> str:
    """A short hash that identifies a credential without revealing it."""
    return hashlib.sha256(credential.encode()).hexdigest()[:16] if credential else ""


_ACTIVE = "SELECT * FROM pauses WHERE scope = ANY (%s) AND (until IS NULL OR until > statement_timestamp())"


def active_pause(scopes: list[str], credential: str) -> Pause | None:
    """The longest active pause of these scopes that applies to this credential, if any."""
    active = Pause.objects.raw(_ACTIVE, [scopes])
    holding = [pause for pause in active if pause.holds(credential)]
    forever = dt.datetime.max.replace(tzinfo=dt.UTC)
    return max(holding, key=lambda pause: pause.until or forever, default=None)
