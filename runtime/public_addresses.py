"""Where webhooks may go: to the internet, never into the network that Parley stands in.

A name is resolved once, each address is looked at, and the connection goes to the address that was looked at: a
name that answers differently the second time (DNS rebinding) gains nothing.
"""

import asyncio
import ipaddress
import socket
from urllib.parse import urlsplit

from django.conf import settings

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# Public by their numbers, but not by what is there: the metadata services of two clouds, and old relays.
NEVER = [ipaddress.ip_network(block) for block in ("168.63.129.16/32", "192.0.0.0/24", "192.88.99.0/24")]
UNICAST = ipaddress.ip_network("2000::/3")
NAT64 = ipaddress.ip_network("64:ff9b::/96")


class Refused(Exception):
    """Nothing may be sent there; the text says why."""


def flaw(url: str) -> str:
    """What is wrong with an endpoint's URL by itself, without asking for its name; "" when nothing is."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return "This is no URL."
    if parts.scheme not in (("https", "http") if settings.WEBHOOKS_ALLOW_PRIVATE else ("https",)):
        return "Only https: what customers write must not be read on the way."
    if not host or parts.username is not None:
        return "A host is missing, or there is a user name in it."
    try:
        literal = ipaddress.ip_address(host)
    except ValueError:
        return ""
    return "" if is_allowed(literal) else f"{host} is not on the internet."


async def allowed(host: str, port: int) -> list[str]:
    """The addresses of this name that may be connected to. Raises Refused when there is none."""
    try:
        found = await resolve(host, port)
    except (OSError, UnicodeError) as error:
        raise Refused(f"{host} has no address: {error}") from error
    addresses = [address for address in found if is_allowed(ipaddress.ip_address(address))]
    if not addresses:
        raise Refused(f"{host} is not on the internet: nothing is sent to {', '.join(found) or 'nowhere'}.")
    return addresses


async def resolve(host: str, port: int) -> list[str]:
    rows = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(row[4][0]) for row in rows))


def is_allowed(address: Address) -> bool:
    return bool(settings.WEBHOOKS_ALLOW_PRIVATE) or is_public(address)


def is_public(address: Address) -> bool:
    if isinstance(address, ipaddress.IPv6Address):
        return _is_public_6(address)
    known = any(address in block for block in NEVER)
    return address.is_global and not address.is_multicast and not address.is_reserved and not known


def _is_public_6(address: ipaddress.IPv6Address) -> bool:
    """Addresses that carry an IPv4 address lead to it."""
    if address.ipv4_mapped:
        return is_public(address.ipv4_mapped)
    if address in NAT64:
        return is_public(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    return address in UNICAST and address.is_global and not address.sixtofour and not address.teredo
