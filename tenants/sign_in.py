"""The sign-in form, limits on failed sign-ins, and the client's IP address, which they depend on.

They apply per address, and per account. One client alone never reaches an account's limit, and clients that have
signed in to it before aren't subject to it: so nobody can lock someone else out.
"""

import datetime as dt
import functools
import ipaddress
import logging

from axes.attempts import get_cool_off_threshold
from axes.handlers.database import AxesDatabaseHandler
from axes.helpers import get_client_username
from axes.models import AccessAttempt, AccessLog
from django.conf import settings
from django.db.models import Q, Sum
from django.http import HttpRequest
from django.utils import timezone
from unfold.forms import AuthenticationForm

logger = logging.getLogger(__name__)

# Failed attempts within `AXES_COOLOFF_TIME`.
OF_ADDRESS_AND_ACCOUNT = 10
OF_ADDRESS = 20
OF_ACCOUNT = 100
KNOWN_FOR = dt.timedelta(days=30)


class SignInForm(AuthenticationForm):  # type: ignore[misc]
    error_messages = {
        **AuthenticationForm.error_messages,
        "invalid_login": "Wrong username or password, or the account is disabled. Passwords are case-sensitive.",
    }


def client_ip(request: HttpRequest) -> str | None:
    """The client's address. For IPv6, only the network, because one client has all of a network's addresses.

    Behind proxies, it's the address that the outermost of our `PROXY_COUNT` proxies added to X-Forwarded-For.
    """
    forwarded = request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")
    count: int = settings.PROXY_COUNT
    given = [request.META.get("REMOTE_ADDR", "")]
    if 0 < count <= len(forwarded):
        given.insert(0, forwarded[-count])
    elif count <= 0 and forwarded[0] and not settings.DEBUG:
        _warn_once()
    return next(filter(None, map(_address, given)), None)


@functools.cache
def _warn_once() -> None:
    logger.warning(
        "A request has the header X-Forwarded-For, but PROXY_COUNT is 0. If it came through a proxy of yours, set "
        "PROXY_COUNT: otherwise all its clients share the limits on failed sign-ins and invalid keys."
    )


def _address(text: str) -> str | None:
    """An address that may be followed by a port, such as `192.0.2.1:443` or `[2001:db8::1]:443`."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((address, 64), strict=False).network_address)


class SignInLimits(AxesDatabaseHandler):  # type: ignore[misc]  # axes has no types
    def get_failures(self, request: HttpRequest, credentials: dict[str, str] | None = None) -> int:
        """1 if a limit is reached, else 0."""
        username, address = get_client_username(request, credentials), client_ip(request)
        of_account, of_address = Q(username=username), Q(ip_address=address)
        recent = AccessAttempt.objects.filter(
            of_account | of_address, attempt_time__gte=get_cool_off_threshold(request)
        )
        failures = recent.aggregate(
            both=Sum("failures_since_start", filter=of_account & of_address, default=0),
            address=Sum("failures_since_start", filter=of_address, default=0),
            account=Sum("failures_since_start", filter=of_account, default=0),
        )
        if failures["both"] >= OF_ADDRESS_AND_ACCOUNT or failures["address"] >= OF_ADDRESS:
            return 1
        if failures["account"] < OF_ACCOUNT:
            return 0
        known = AccessLog.objects.filter(of_account, of_address, attempt_time__gte=timezone.now() - KNOWN_FOR)
        return int(not known.exists())
