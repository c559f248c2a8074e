"""Times by the database's clock, because the clocks of several machines differ; and times as people read them."""

import datetime as dt

from django.db.models import DateTimeField, ExpressionWrapper, Value
from django.db.models.expressions import Combinable
from django.db.models.functions import Now
from django.utils import timezone


def shown(at: dt.datetime) -> str:
    """A time for people, in the zone in which they see times."""
    return f"{timezone.localtime(at):%Y-%m-%d %H:%M %Z}"


def from_now(seconds: float) -> Combinable:
    """The database's time plus this many seconds, which may be negative."""
    moment = Now() + Value(dt.timedelta(seconds=seconds))
    return ExpressionWrapper(moment, output_field=DateTimeField())


def ago(seconds: float) -> Combinable:
    return from_now(-seconds)
