"""The proxy for outgoing requests, from the variables that curl and others read: HTTPS_PROXY, HTTP_PROXY, ALL_PROXY."""

import urllib.request
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured


def outgoing_proxies() -> dict[str, str]:
    """The proxy's URL for `http` and `https`, and in `no` the hosts that are reached without it.

    Raises ImproperlyConfigured for a proxy we can't use, such as a SOCKS proxy: without it no reply would go out.
    """
    given = urllib.request.getproxies_environment()
    chosen = {"no": given.get("no", "")}
    for scheme in ("http", "https"):
        if proxy := given.get(scheme) or given.get("all"):
            chosen[scheme] = _usable(proxy if "://" in proxy else f"http://{proxy}", scheme)
    return chosen


def _usable(proxy: str, scheme: str) -> str:
    try:
        parts = urlsplit(proxy)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if usable:
        return proxy
    # Without the whole URL: it may hold a password.
    raise ImproperlyConfigured(
        f"The proxy for {scheme} requests, from {scheme.upper()}_PROXY or ALL_PROXY, starts with "
        f"{proxy.partition('://')[0][:20]}://, but only http:// and https:// proxies work. "
        f"Set {scheme.upper()}_PROXY to an HTTP proxy, or unset both variables."
    )
