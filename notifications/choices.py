"""The fixed values of incidents and deliveries."""

from django.db import models


class Kind(models.TextChoices):
    """What people are notified of."""

    HANDOVER = "handover", "A conversation needs an agent"
    MESSAGE = "message", "A new message in a conversation you handle"
    UNANSWERED = "unanswered", "A customer has waited too long for your team"
    FAILED = "failed", "A message couldn't be sent"
    ACCOUNT = "account", "A number, key or endpoint has stopped working"
    BUDGET = "budget", "The daily token limit is nearly used up"


# Until someone reacts, more and more people are told. Everyone is told of the others immediately.
ESCALATING = frozenset({Kind.HANDOVER, Kind.UNANSWERED, Kind.FAILED, Kind.ACCOUNT})
# Unless the business decides otherwise, these are for owners only.
FOR_OWNERS = frozenset({Kind.ACCOUNT, Kind.BUDGET})


class Channel(models.TextChoices):
    PAGE = "page", "In the inbox"
    PUSH = "push", "Push"
    EMAIL = "email", "Email"
    DIGEST = "digest", "Daily email"


class State(models.TextChoices):
    WAITING = "waiting", "Waiting"
    SENT = "sent", "Sent"
    FAILED = "failed", "Failed"
    CANCELLED = "cancelled", "Cancelled"
