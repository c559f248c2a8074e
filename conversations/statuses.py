"""How far an outbound message got: the states and their order."""

from django.db import models


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
