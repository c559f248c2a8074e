"""The states of an outbound message, their order, and how to advance."""

import datetime as dt
from typing import TYPE_CHECKING, Any

from django.db import models
from django.db.models.functions import Coalesce, Now

if TYPE_CHECKING:
    from .models import ConversationMessage  # noqa: F401 - used in a string annotation below


class Status(models.TextChoices):
    QUEUED = "queued", "Queued"
    SENDING = "sending", "Sending"
    UNCERTAIN = "uncertain", "Uncertain"
    SENT = "sent", "Sent"
    FAILED = "failed", "Failed"
    DELIVERED = "delivered", "Delivered"
    READ = "read", "Read"


# A later state in this list is never replaced by an earlier one. *failed* comes between *sent* and *delivered*: Meta
# may refuse a message after accepting it, but a delivered message stays delivered.
RANK = list(Status)
BEFORE_SENT = RANK[: RANK.index(Status.SENT)]
TIMES = {Status.DELIVERED: "delivered_at", Status.READ: "read_at", Status.FAILED: "failed_at"}


class MessageQuerySet(models.QuerySet["ConversationMessage"]):
    def advance(self, to: Status, at: dt.datetime | None = None, **also: Any) -> int:
        """Advance these messages to a state, never back. Returns the number of rows that changed. The time of the state
        is recorded even if a later state came first (read before delivered). `at` is the
        channel's time (UTC; None: now); `also`: further columns to set on the rows that change.
        """
        when = at or Now()
        if column := TIMES.get(to):
            self.filter(**{f"{column}__isnull": True}).exclude(status="").update(**{column: when})
        if to == Status.SENT:
            also.setdefault("sent_at", Coalesce("sent_at", when))
        return self.filter(status__in=RANK[: RANK.index(to)]).update(status=to, **also)
