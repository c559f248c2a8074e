"""Links in a reply: only to hosts that the business or the allow-list named."""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from urllib.parse import urlsplit

URL = re.compile(r"https?://[^\s<>\[\]\"“”«»*`，。；！？）】」』、]+", re.IGNORECASE)
# Without https://, WhatsApp makes a link of a host with a known ending, or before a path.
_ENDINGS = (
    "com|net|org|info|biz|io|co|app|dev|shop|store|online|site|website|xyz|ai|gl|ly|link|club|tech|cloud|agency|gov|edu"
    "|mobi|eu|de|ch|fr|es|pt|nl|pl|cz|se|dk|fi|uk|ie|ca|mx|br|ar|cl|pe|uy|ec|sg|vn|ph|jp|cn|hk|tw|kr|au|nz|za|ng|ke|ae|tr|ru|ua"
)
_LINK = re.compile(
    rf"(?P<url>{URL.pattern})|(?<![\w@./:-])(?P<bare>(?i:www)\.[\w-]+(?:\.[\w-]+)+|[\w-]+(?:\.[\w-]+)*\.(?:{_ENDINGS}|{_ENDINGS.upper()}|Com|Net|Org)(?![\w-]|\.\w)"
    rf"|[\w-]+(?:\.[\w-]+)*\.[a-zA-Z]{{2,24}}(?=(?::\d+)?/\w))(?!@)(?P<path>(?::\d+)?/[^\s<>\[\]\"“”«»*`]*)?"
)
_HOST = re.compile(r"[\w-]+(?:\.[\w-]+)+")


def trimmed(url: str) -> str:
    """Strip the punctuation of the sentence around it."""
    while url and (url[-1] in ".,;:!?'’_~|" or (url[-1] == ")" and url.count(")") > url.count("("))):
        url = url[:-1]
    return url


def hosts_in(texts: Iterable[str]) -> set[str]:
    """Every host that these texts name, in links, in email addresses or on their own."""
    return {_canonical(found[0]) for text in texts for found in _HOST.finditer(unicodedata.normalize("NFKC", text))}


def keep_links(text: str, named: Sequence[str], allowed: Sequence[str]) -> tuple[str, list[str]]:
    """The text without links to other hosts, and these hosts. `named`: texts whose hosts are fine. `allowed`: hosts
    that are fine with all their subdomains.
    """
    links = [(found, _host(trimmed(found[0]))) for found in _LINK.finditer(text)]
    if not links:
        return text, []
    known, roots = hosts_in(named), {_canonical(host) for host in allowed}
    kept, at, removed = "", 0, list[str]()
    for found, host in links:
        if host in known or any(host == each or host.endswith(f".{each}") for each in roots):
            continue
        removed.append(host or trimmed(found[0]))
        # "our shop: https://…" leaves "our shop".
        kept += re.sub(r"(?:(?<=[^\s:]):[ \t]+|[ \t(\[<]+)\Z", "", text[at : found.start()])
        at = found.start() + len(trimmed(found[0]))
        at += text[at : at + 1] == ")" and text[: found.start()].endswith("(")
    if not removed:
        return text, []
    # Without a link, what was around it may be one.
    kept, others = keep_links((kept + text[at:]).strip(), named, allowed)
    return kept, list(dict.fromkeys([*removed, *others]))


def _host(url: str) -> str:
    """The host that a browser would open: it reads \\ as /, and ignores what comes before @."""
    try:
        parts = urlsplit((url if "://" in url else f"https://{url}").replace("\\", "/"))
        return _canonical(parts.hostname or "") if parts.port != 0 else ""  # raises if the port isn't a number
    except ValueError:
        return ""


def _canonical(host: str) -> str:
    host = unicodedata.normalize("NFKC", host).lower().strip(".").removeprefix("www.")
    try:
        return host.encode("idna").decode()
    except UnicodeError:
        return host
