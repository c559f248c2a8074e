"""Who is told of a business's incidents, in which order, and how."""

import datetime as dt
import zoneinfo
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from django.conf import settings
from django.contrib.auth.models import User
from django.db.models import Q

from tenants.models import MemberRole, Membership, OpeningHours, Tenant

from .choices import FOR_OWNERS, Channel, Kind
from .models import NotificationDelivery, NotificationPreferences, NotificationRecipient, PushSubscription

POSITIONS = {MemberRole.OPERATOR: 1, MemberRole.OWNER: 2}  # unless the business has chosen a line


@dataclass(frozen=True, slots=True)
class Recipient:
    """One person in the line of one business."""

    user: User
    position: int
    kinds: frozenset[str]
    preferences: NotificationPreferences
    devices: tuple[int, ...]
    zone: dt.tzinfo

    def channels(self, kind: str) -> list[tuple[Channel, str]]:
        """How they're told of such an incident: the channels that can reach them, each with its target."""
        wants = self.preferences
        ways: list[tuple[Channel, str]] = []
        if kind in wants.page_kinds:
            ways.append((Channel.PAGE, ""))
        if kind in wants.push_kinds:
            ways += [(Channel.PUSH, str(device)) for device in self.devices]
        if settings.EMAIL_URL and self.user.email:
            if kind in wants.email_kinds:
                ways.append((Channel.EMAIL, ""))
            elif kind in wants.digest_kinds:
                ways.append((Channel.DIGEST, ""))
        return ways

    def quiet_until(self, now: dt.datetime) -> dt.datetime | None:
        """When their quiet hours end; None outside them."""
        start, end = self.preferences.quiet_from, self.preferences.quiet_until
        if start is None or end is None or start == end:
            return None
        local = now.astimezone(self.zone)
        is_quiet = start <= local.time() < end if start < end else not end <= local.time() < start
        return next_time(end, now, self.zone) if is_quiet else None

    def next_digest(self, now: dt.datetime) -> dt.datetime:
        return next_time(self.preferences.digest_at, now, self.zone)


def next_time(time: dt.time, now: dt.datetime, zone: dt.tzinfo) -> dt.datetime:
    """The next moment at which clocks in this zone show this time."""
    today = now.astimezone(zone).date()
    days = (today + dt.timedelta(days=number) for number in range(3))
    return next(moment for day in days if (moment := dt.datetime.combine(day, time, zone)) > now)


def lines_of(tenant_ids: Collection[int]) -> dict[int, list[Recipient]]:
    """The line of each of these businesses, first in line first."""
    members = Membership.objects.filter(tenant__in=tenant_ids, tenant__is_active=True, user__is_active=True)
    chosen = NotificationRecipient.objects.filter(membership__in=members).select_related("membership__user")
    places: defaultdict[int, list[tuple[User, int, frozenset[str]]]] = defaultdict(list)
    for each in chosen:
        places[each.membership.tenant_id].append((each.membership.user, each.position, frozenset(each.kinds)))
    others = members.exclude(tenant__in=list(places)).exclude(role=MemberRole.VIEWER)
    for member in others.select_related("user"):
        kinds = frozenset(Kind.values) if member.role == MemberRole.OWNER else frozenset(Kind.values) - FOR_OWNERS
        places[member.tenant_id].append((member.user, POSITIONS[MemberRole(member.role)], kinds))
    active = Tenant.objects.filter(pk__in=tenant_ids, is_active=True)
    if without := set(active.values_list("pk", flat=True)) - set(places):
        # A new installation has no members yet.
        admins = list(User.objects.filter(is_superuser=True, is_active=True))
        for tenant_id in without:
            places[tenant_id] = [(admin, 1, frozenset(Kind.values)) for admin in admins]
    return _with_preferences(places)


def _with_preferences(
    places: dict[int, list[tuple[User, int, frozenset[str]]]],
) -> dict[int, list[Recipient]]:
    people = {user.pk for line in places.values() for user, _, _ in line}
    preferences = NotificationPreferences.objects.in_bulk(people)
    devices: defaultdict[int, list[int]] = defaultdict(list)
    for pk, user_id in PushSubscription.objects.filter(user__in=people).order_by("pk").values_list("pk", "user_id"):
        devices[user_id].append(pk)
    zones = dict(OpeningHours.objects.filter(tenant__in=list(places)).values_list("tenant", "time_zone"))
    lines = {}
    for tenant_id, line in places.items():
        lines[tenant_id] = [
            Recipient(
                user=user,
                position=position,
                kinds=kinds,
                preferences=(wants := preferences.get(user.pk) or NotificationPreferences(user=user)),
                devices=tuple(devices[user.pk]),
                zone=zoneinfo.ZoneInfo(wants.time_zone or zones.get(tenant_id, "UTC")),
            )
            for user, position, kinds in sorted(line, key=lambda place: (place[1], place[0].pk))
        ]
    return lines


def zone_of(delivery: NotificationDelivery) -> zoneinfo.ZoneInfo:
    """In which its recipient sees times."""
    own = NotificationPreferences.objects.filter(pk=delivery.user_id).exclude(time_zone="")
    of_business = OpeningHours.objects.filter(tenant=delivery.tenant_id)
    named = own.values_list("time_zone", flat=True).first() or of_business.values_list("time_zone", flat=True).first()
    return zoneinfo.ZoneInfo(named or "UTC")


def may_still_be_told(tenant_id: int, user_id: int) -> bool:
    """Whether this person still works for this business, which is active."""
    members = User.objects.filter(Q(is_superuser=True) | Q(memberships__tenant=tenant_id), pk=user_id, is_active=True)
    return members.exists()


def eligible(line: Sequence[Recipient], kind: str, user_id: int | None) -> list[Recipient]:
    """Those in the line who can be told of such an incident."""
    return [each for each in line if kind in each.kinds and user_id in (None, each.user.pk) and each.channels(kind)]
