"""The URLs of a sitemap, one a line: `page …`, or `sitemap …` for other sitemaps that it lists.

https://www.sitemaps.org/protocol.html
"""

import gzip
import io
from collections.abc import Iterator
from typing import BinaryIO

from lxml import etree

from .refusal import TOO_MANY_PAGES, Refused

LARGEST = 50  # MB, as in the protocol
LONGEST_URL = 2000


def read(file: BinaryIO, most: str) -> Iterator[str]:
    data = _unpacked(file)
    urls = _of_xml(data) if data.lstrip()[:1] == b"<" else _of_text(data)
    for number, (kind, url) in enumerate(urls):
        if number >= int(most):
            raise Refused(TOO_MANY_PAGES.format(most=int(most)))
        if url and len(url) <= LONGEST_URL and len(url.split()) == 1:
            yield f"{kind} {url}\n"


def _unpacked(file: BinaryIO) -> bytes:
    packed = file.read(2) == b"\x1f\x8b"
    file.seek(0)
    data = (gzip.GzipFile(fileobj=file) if packed else file).read((LARGEST << 20) + 1)
    if len(data) > LARGEST << 20:
        raise Refused(f"The sitemap has more than {LARGEST} MB. Add the sitemap of a part of the website instead.")
    return data


def _of_xml(data: bytes) -> Iterator[tuple[str, str]]:
    for _, element in etree.iterparse(io.BytesIO(data), resolve_entities=False, no_network=True, recover=True):
        name, parent = etree.QName(element), element.getparent()
        if name.localname == "loc" and parent is not None:
            above = etree.QName(parent)
            # Not the addresses of images and videos, which have a namespace of their own.
            if above.namespace == name.namespace and above.localname in ("url", "sitemap"):
                yield "page" if above.localname == "url" else "sitemap", (element.text or "").strip()
        elif name.localname in ("url", "sitemap"):
            element.clear()


def _of_text(data: bytes) -> Iterator[tuple[str, str]]:
    for line in data.decode("utf-8", "replace").splitlines():
        if line.startswith(("http://", "https://")):
            yield "page", line.strip()
