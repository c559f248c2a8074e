"""Files on Meta's servers: described by Graph, and downloaded from a URL with the token."""

import base64
import hashlib
import io
import itertools
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx2
from PIL import Image

Json = dict[str, Any]
AT_GRAPH = "https://graph.facebook.com/files/"
OGG = b"OggS\x00\x02" + bytes(range(200)) * 10
PDF = b"%PDF-1.7\n" + b"1 0 obj\n<<>>\nendobj\n"


def picture(width: int = 8, height: int = 8, format: str = "JPEG", color: str = "red") -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (width, height), color).save(file, format)
    return file.getvalue()


def body(data: bytes, status: int = 200, **headers: str) -> httpx2.Response:
    """A response that is read as it arrives."""
    return httpx2.Response(status, stream=Pieces(data, 1), headers=headers)


@dataclass
class File:
    data: bytes
    described: Json
    answer: Callable[[httpx2.Request], httpx2.Response] | None = None
    describe: Callable[[httpx2.Request], httpx2.Response] | None = None


@dataclass
class MediaAtMeta:
    """The files, and every request for one: (URL, Authorization)."""

    files: dict[str, File] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)
    uploaded: list[bytes] = field(default_factory=list)
    refusals: list[httpx2.Response] = field(default_factory=list)  # of uploads, the next one last
    serial: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def put(self, data: bytes, mime_type: str, url: str = AT_GRAPH, **described: Any) -> Json:
        """Keep a file, and return how a message's webhook describes it."""
        media_id = f"40404040{next(self.serial):04}"
        digest = hashlib.sha256(data)
        known = {"url": f"{url}{media_id}", "mime_type": mime_type, "sha256": digest.hexdigest(), "id": media_id}
        self.files[media_id] = File(data, {**known, "file_size": len(data), **described})
        return {"id": media_id, "mime_type": mime_type, "sha256": base64.b64encode(digest.digest()).decode()}

    def take(self, form: bytes, request: httpx2.Request) -> httpx2.Response:
        """Accept an uploaded file."""
        self.uploaded.append(form)
        return self.refusals.pop() if self.refusals else httpx2.Response(200, json={"id": f"up{len(self.uploaded)}"})

    def get(self, request: httpx2.Request) -> httpx2.Response:
        file = self.files.get(request.url.path.rpartition("/")[2])
        self.asked.append((str(request.url), request.headers.get("Authorization", "")))
        if file is None:
            return httpx2.Response(400, json={"error": {"message": "Unsupported get request.", "code": 100}})
        if "/files/" in request.url.path:
            return file.answer(request) if file.answer else body(file.data)
        return file.describe(request) if file.describe else httpx2.Response(200, json=file.described)


class Pieces(httpx2.AsyncByteStream):
    """A body that arrives in chunks, and is never complete in memory."""

    def __init__(self, piece: bytes, times: int) -> None:
        self.piece, self.times, self.given = piece, times, 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for _ in range(self.times):
            self.given += 1
            yield self.piece
