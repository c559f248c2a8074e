"""What the Graph API, or something in its place, can answer to a message, and what has to come of it.

Codes and titles: https://developers.facebook.com/documentation/business-messaging/whatsapp/support/error-codes
"""

import gzip
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx2

from .fake_graph import Answer, refused

MB = 1024 * 1024
PAGE = "<!DOCTYPE html><html><head><title>x</title></head><body><h1>Bad Gateway</h1><p>nginx</p></body></html>"


class Raw(httpx2.AsyncByteStream):
    """A body sent as it is. `cut`: the connection breaks after it."""

    def __init__(self, *pieces: bytes, cut: bool = False) -> None:
        self.pieces, self.cut = pieces, cut

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self.pieces:
            yield piece
        if self.cut:
            raise httpx2.ReadError("reset")


@dataclass(frozen=True, slots=True)
class Case:
    """One answer to the first attempt; every further attempt is accepted."""

    name: str
    answer: Answer
    status: str  # of the message in the end; "held": queued until someone acts
    code: int | None = None
    words: str = ""  # that the reason contains
    wamid: str | None = None


def body(status: int, content: Any) -> httpx2.Response:
    raw = content if isinstance(content, bytes) else json.dumps(content).encode()
    return httpx2.Response(status, content=raw, headers={"content-type": "application/json"})


def ids(*messages: object) -> httpx2.Response:
    return body(200, {"messaging_product": "whatsapp", "messages": list(messages)})


def error(status: int = 400, **parts: object) -> httpx2.Response:
    return body(status, {"error": parts})


def stream(status: int, *pieces: bytes, cut: bool = False, **headers: str) -> httpx2.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx2.Response(status, stream=Raw(*pieces, cut=cut), headers=named)


REFUSED = '{"error": {"message": "%s", "code": 100}}'
LONG = "wamid." + "A" * 400

CASES = [
    # Accepted, with an ID of any shape.
    Case("usual", ids({"id": "wamid.usual"}), "sent", wamid="wamid.usual"),
    Case("held for quality", ids({"id": "wamid.held", "message_status": "held_for_quality_assessment"}), "sent"),
    Case("NUL in the wamid", ids({"id": "wamid.with\0nul"}), "sent", wamid="wamid.withnul"),
    Case("half an emoji in the wamid", ids({"id": "wamid.\ud83d"}), "sent", wamid="wamid.\ufffd"),
    Case("wamid of 406 characters", ids({"id": LONG}), "sent"),
    Case("number as wamid", ids({"id": 7}), "sent", wamid="7"),
    Case("wamid in spaces", ids({"id": " wamid.x\n"}), "sent", wamid="wamid.x"),
    Case("null as wamid", ids({"id": None}), "sent"),
    Case("empty wamid", ids({"id": ""}), "sent"),
    Case("list as wamid", ids({"id": ["wamid.y"]}), "sent"),
    Case("message without an ID", ids({"message_status": "accepted"}), "sent"),
    Case("null before the message", ids(None, {"id": "wamid.second"}), "sent", wamid="wamid.second"),
    Case("messages as an object", body(200, {"messages": {"id": "wamid.z"}}), "sent", wamid="wamid.z"),
    Case("empty error beside it", body(200, {"messages": [{"id": "wamid.e"}], "error": {}}), "sent", wamid="wamid.e"),
    Case("201", body(201, {"messages": [{"id": "wamid.201"}]}), "sent", wamid="wamid.201"),
    Case("byte order mark", body(200, b'\xef\xbb\xbf{"messages": [{"id": "wamid.bom"}]}'), "sent", wamid="wamid.bom"),
    Case("UTF-16", body(200, '{"messages": [{"id": "wamid.16"}]}'.encode("utf-16")), "sent", wamid="wamid.16"),
    Case("NaN beside it", body(200, b'{"messages": [{"id": "wamid.nan", "x": NaN}]}'), "sent", wamid="wamid.nan"),
    Case("a huge number beside it", body(200, b'{"messages": [{"id": "w.n"}], "n": %s}' % (b"9" * 5000)), "sent"),
    Case(
        "gzip",
        stream(200, gzip.compress(b'{"messages": [{"id": "wamid.gz"}]}'), content_encoding="gzip"),
        "sent",
        wamid="wamid.gz",
    ),
    # Refused: failed at once, with Meta's words.
    Case("parameter", refused(100), "failed", 100, "The details."),
    Case("NUL in the message", error(message="(#100) bad \0 here", code=100), "failed", 100, "(#100) bad here"),
    Case("half an emoji", error(message="text \ud83d is bad", code=100), "failed", 100, "text \ufffd is bad"),
    Case("escape sequences", error(message="\x1b[31mred\x07\u202e", code=100), "failed", 100, ": [31mred"),
    Case(
        "message as an object", error(message={"detail": [{"msg": "Extra inputs"}]}, code=100), "failed", 100, "Extra"
    ),
    Case("message as a list", error(message=["one", "two"], code=100), "failed", 100, "one: two"),
    Case("message as a number", error(message=7, code=100), "failed", 100, "no reason given"),
    Case("HTML as message", error(message=PAGE, code=100), "failed", 100, "Bad Gateway nginx"),
    Case("1 MB of message", error(message="word " * 200_000, code=100), "failed", 100, "word word"),
    Case("details as an object", error(error_data={"details": {"msg": "So"}}, code=100), "failed", 100, "So"),
    Case("error_data as text", error(error_data="text", code=100), "failed", 100, "text"),
    Case("only a title for the user", error(error_user_msg="Try later", code=100), "failed", 100, "Try later"),
    Case("code as text", error(message="no", code="131026"), "failed", 131026, "can't be reached"),
    Case("code with decimals", error(message="no", code=131026.0), "failed", 131026, "can't be reached"),
    Case("code with a fraction", error(message="no", code=100.5), "failed", None, "no"),
    Case("true as code", error(message="no", code=True), "failed", None, "no"),
    Case("list as code", error(message="no", code=[190]), "failed", None, "no"),
    Case("code beyond the column", error(message="no", code=2**31), "failed", None, "no"),
    Case("code of 5,000 digits", body(400, b'{"error": {"message": "no", "code": 1%s}}' % (b"0" * 5000)), "failed"),
    Case("code 1e999", body(400, b'{"error": {"message": "no", "code": 1e999}}'), "failed", None, "no"),
    Case("negative code", error(message="no", code=-5), "failed", -5, "no"),
    Case("no code", error(message="Unsupported post request"), "failed", None, "Unsupported post request"),
    Case("nothing but a type", error(type="OAuthException"), "failed", None, "no reason given"),
    Case("error as a list", body(400, {"error": [{"message": "no", "code": 100}]}), "failed", 100, "no"),
    Case("errors as a list", body(400, {"errors": [{"code": 131051, "title": "Odd"}]}), "failed", 131051, "Odd"),
    Case("answer as a list", body(400, [{"error": {"message": "batch", "code": 100}}]), "failed", 100, "batch"),
    Case("error in a 200", refused(131047, 200), "failed", 131047, "24-hour window"),
    Case("Latin-1", body(400, (REFUSED % "für").encode("latin-1")), "failed", 100, "f\ufffdr"),
    Case("refusal in UTF-16", body(400, (REFUSED % "für").encode("utf-16")), "failed", 100, "für"),
    Case("unknown code", refused(999999), "failed", 999999, "Meta's error 999999"),
    Case("recipient", refused(131030), "failed", 131030, "isn't on the test number's list"),
    Case("marketing", refused(131049), "failed", 131049, "chose not to deliver it"),
    Case("template", refused(132001, 404), "failed", 132001, "doesn't exist in this language"),
    Case("file", refused(131053), "failed", 131053, "couldn't be uploaded"),
    Case("error as text", body(404, {"error": "Not found"}), "failed", None, "Not found"),
    Case("proxy's page", body(403, b"<html><body><h1>Blocked</h1> by policy</body></html>"), "failed", None, "Blocked"),
    Case("empty 400", body(400, b""), "failed", None, "HTTP 400"),
    Case("redirect", httpx2.Response(302, headers={"location": "https://elsewhere.test"}), "failed", None, "HTTP 302"),
    Case("deeply nested 400", body(400, b"[" * 200_000), "failed", None, "HTTP 400"),
    Case("400 cut short", stream(400, b'{"error": {"mess', cut=True), "failed", None, "HTTP 400"),
    Case("400 that isn't gzip", stream(400, b"no!", content_encoding="gzip"), "failed", None, "HTTP 400"),
    Case("400 of 17 MB", stream(400, *[b" " * MB] * 17), "failed", None, "HTTP 400"),
    # Refused until someone acts.
    Case("expired token", refused(190, 401), "held", 190, "has expired or is invalid"),
    Case("permission", refused(200, 403), "held", 200, "lacks a permission"),
    Case("401 of a proxy", body(401, b"who?"), "held", None, "HTTP 401"),
    Case("payment", refused(131042), "held", 131042, "payment method"),
    Case("locked", refused(131031), "held", 131031, "is locked"),
    Case("not registered", refused(133010), "held", 133010, "not registered"),
    # Tried again, and then accepted.
    Case("app throttled", refused(4, 429), "sent"),
    Case("number throttled", refused(130429, 429, headers={"retry-after": "-1"}), "sent"),
    Case("pair throttled", refused(131056), "sent"),
    Case("429 of a proxy", body(429, b""), "sent"),
    Case("odd Retry-After", refused(130429, headers={"retry-after": "Mon, 01 Jan 0001 00:00:00 +2359"}), "sent"),
    Case("overloaded", refused(131016, 503), "sent"),
    Case("unknown error at Meta", refused(1, 500), "sent"),
    Case("no connection", httpx2.ConnectError("refused"), "sent"),
    # Nobody knows.
    Case("502", body(502, PAGE.encode()), "uncertain", None, "Bad Gateway nginx"),
    Case("empty 500", body(500, b""), "uncertain", None, "HTTP 500"),
    Case("200 without a message", body(200, {"success": True}), "uncertain", None, "no message ID"),
    Case("200 with a page", body(200, b"<h1>Welcome</h1>"), "uncertain", None, "Welcome"),
    Case(
        "200 cut short", stream(200, b'{"messages": [{"id": "wam', cut=True), "uncertain", None, "no response from Meta"
    ),
    Case("200 with a list", body(200, [1, 2]), "uncertain", None, "isn't Meta's JSON"),
    Case("connection lost", httpx2.ReadError("reset"), "uncertain", None, "no response from Meta"),
]
