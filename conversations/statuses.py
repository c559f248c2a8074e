"""How far an outbound message got: the states, their order, and the one way to move along them."""

import datetime as dt
from typing import TYPE_CHECKING, Any

from django.db import models
from django.db.models.functions import Coalesce, Now

if TYPE_CHECKING:
    from .models import ConversationMessage  # noqa: F401 - named in a string below


class Status(models.TextChoices):
    QUEUED = "queued", "Queued"
    SENDING = "sending", "Sending"
    UNCERTAIN = "uncertain", "Uncertain"
    SENT = "sent", "Sent"
    FAILED = "failed", "Failed"
    DELIVERED = "delivered", "Delivered"
    READ = "read", "Read"


# What is later in this list never gives way to what is earlier. *failed* stands between *sent* and *delivered*:
# Meta may refuse after it accepted, but what arrived has arrived.
RANK = list(Status)
BEFORE_SENT = RANK[: RANK.index(Status.SENT)]
TIMES = {Status.DELIVERED: "delivered_at", Status.READ: "read_at", Status.FAILED: "failed_at"}


class MessageQuerySet(models.QuerySet["ConversationMessage"]):
    def advance(self, to: Status, at: dt.datetime | None = None, **also: Any) -> int:
        """Move these messages on to a state, never back: the number of rows that moved.

        The time of the state is kept even where a later state came first (read before delivered). `at` is the
        channel's time (UTC; None: now); `also` are further columns of the rows that move.
        """
        when = at or Now()
        if column := TIMES.get(to):
            self.filter(**{f"{column}__isnull": True}).exclude(status="").update(**{column: when})
        if to == Status.SENT:
            also.setdefault("sent_at", Coalesce("sent_at", when))
        return self.filter(status__in=RANK[: RANK.index(to)]).update(status=to, **also)
