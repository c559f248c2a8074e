"""The SSRF guard: URLs that customers and other services give us lead to the internet, never into our own network.

The check runs on the address a socket is about to connect to, so IP literals, unusual spellings and names that change
their address between two lookups (DNS rebinding) all meet it.
"""

import ipaddress
import socket
from urllib.parse import urlsplit

import aiohttp
from django.conf import settings

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# Global by their numbers, but not by what's there: two clouds' internal services, and retired 6to4 relays.
NEVER = [ipaddress.ip_network(block) for block in ("168.63.129.16/32", "192.0.0.0/24", "192.88.99.0/24")]
# Names that never lead to the internet (RFC 6761, 6762, 7686 and 9476, and ICANN's `internal`).
LOCAL_NAMES = ("localhost", "local", "internal", "invalid", "onion", "alt")
UNICAST = ipaddress.ip_network("2000::/3")
NAT64 = ipaddress.ip_network("64:ff9b::/96")


class NotPublic(OSError):
    """The address isn't on the internet."""

    def __init__(self) -> None:
        # The same text for every address: happy eyeballs raises one error of several only if they read the same.
        super().__init__("not on the internet")


def flaw(url: str, only_https: bool = True) -> str:
    """What's wrong with a URL that someone gave us, without resolving its name; "" if nothing is."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return "This isn't a URL."
    if parts.scheme not in ("https", "http"):
        return "The URL must begin with https://."
    if parts.scheme == "http" and only_https and not settings.WEBHOOKS_ALLOW_PRIVATE:
        return "Only https is allowed: it protects what customers write."
    if not host or parts.username is not None:
        return "The URL needs a host and can't contain a username."
    try:
        literal = ipaddress.ip_address(host)
    except ValueError:
        *before, last = host.lower().rstrip(".").split(".")
        is_local = not before or last in LOCAL_NAMES
        return f"{host} is not on the internet." if is_local and not settings.WEBHOOKS_ALLOW_PRIVATE else ""
    return "" if is_allowed(literal) else f"{host} is not on the internet."


def checked_socket(info: aiohttp.AddrInfoType) -> socket.socket:
    """A socket for an address that may be connected to. Raises NotPublic."""
    family, kind, protocol, _, address = info
    if not is_allowed(ipaddress.ip_address(address[0])):
        raise NotPublic
    return socket.socket(family, kind, protocol)


def is_allowed(address: Address) -> bool:
    return bool(settings.WEBHOOKS_ALLOW_PRIVATE) or is_public(address)


def is_public(address: Address) -> bool:
    if isinstance(address, ipaddress.IPv6Address):
        return _is_public_6(address)
    known = any(address in block for block in NEVER)
    return address.is_global and not address.is_multicast and not address.is_reserved and not known


def _is_public_6(address: ipaddress.IPv6Address) -> bool:
    """An address that carries an IPv4 address leads to that one."""
    if address.ipv4_mapped:
        return is_public(address.ipv4_mapped)
    if address in NAT64:
        return is_public(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    return address in UNICAST and address.is_global and not address.sixtofour and not address.teredo
