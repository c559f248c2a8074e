"""What an open inbox shows: a person's open notifications."""

from collections.abc import Mapping
from typing import Any

from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.db.models.functions import Now

from tenants.access import for_user

from .choices import Channel, State
from .messages import message_of
from .models import NotificationDelivery, NotificationPreferences

MOST_SHOWN = 20
NOTHING: Mapping[str, Any] = {"count": 0, "sound": True, "items": []}


def of(user: User) -> "QuerySet[NotificationDelivery]":
    """This person's notifications, of businesses they still work for."""
    return for_user(NotificationDelivery.objects.filter(user=user), user, "tenant")


def state_of(user: User) -> Mapping[str, Any]:
    """How many there are, and the newest of them. From now on they count as shown.

    `items`: `id`, `title`, `text`, `path` and `tag` of each.
    """
    mine = of(user).filter(channel=Channel.PAGE, is_open=True)
    newest = list(mine.select_related("incident").order_by("-pk")[:MOST_SHOWN])
    mine.filter(state=State.WAITING, pk__lte=newest[0].pk if newest else 0).update(state=State.SENT, sent_at=Now())
    muted = NotificationPreferences.objects.filter(pk=user.pk, sound=False).exists()
    return {
        "count": mine.count() if len(newest) == MOST_SHOWN else len(newest),
        "sound": not muted,
        "items": [{"id": each.pk, **message_of(each).as_json()} for each in newest],
    }
