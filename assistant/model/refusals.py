"""Reads a refusal: what the service said, in plain words, and which row of `errors.RULES` it is.

Services that call themselves compatible agree on little more than the status. The patterns below were written from what
OpenAI, Azure, Anthropic, Gemini, Mistral, OpenRouter, DeepSeek, Groq, vLLM, llama.cpp, Ollama and LM Studio document.
"""

import html
import re
from dataclasses import dataclass

from runtime.untrusted_json import as_dict, as_list, as_text, loads

from .text import plain

LONGEST_READ = 4000  # characters of a refusal
LONGEST_WORDS = 500  # what's kept of them
_DEPTH = 6
# Where services put their words, best first.
_SPOKEN = ("message", "msg", "error", "errors", "detail", "details", "error_description", "description", "reason")
_SPOKEN_LAST = ("fault", "faultstring", "title", "raw")
_NAMED = ("code", "type", "status", "reason", "param")

# OpenAI documents these under the type insufficient_quota. Others use only some of them, or 402, or words.
_QUOTA_NAMES = {
    "insufficient_quota",
    "credit_balance_exhausted",
    "organization_spend_limit_exceeded",
    "project_spend_limit_exceeded",
    "organization_usage_limit_exceeded",
    "billing_hard_limit_reached",
    "billing_not_active",
    "billing_error",
    "insufficient_balance",
    "insufficient_credits",
}
_FILTER_NAMES = {
    "content_filter",
    "content_policy_violation",
    "responsibleaipolicyviolation",
    "data_inspection_failed",
    "safety",
    "prohibited_content",
}
_NO_MODEL_NAMES = {"model_not_found", "invalid_model", "model_decommissioned"}
_TOO_LONG_NAMES = {
    "context_length_exceeded",
    "exceed_context_size_error",
    "request_too_large",
    "string_above_max_length",
}
_STATUS_OF_NAME = {
    "invalid_api_key": 401,
    "authentication_error": 401,
    "unauthenticated": 401,
    "permission_error": 403,
    "permission_denied": 403,
    "not_found_error": 404,
    "model_not_found": 404,
    "not_found": 404,
    "rate_limit_exceeded": 429,
    "rate_limit_error": 429,
    "resource_exhausted": 429,
    "invalid_request_error": 400,
    "invalid_argument": 400,
}
_BY_STATUS = {
    401: "unauthorized",
    402: "quota",
    403: "forbidden",
    404: "model_not_found",
    408: "server_error",
    409: "server_error",
    425: "server_error",
    429: "rate_limited",
    498: "server_error",
    499: "server_error",
}


def _words(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(patterns), re.IGNORECASE)


_NO_CREDIT = _words(
    r"insufficient (?:account )?(?:balance|credits?|funds|quota)",
    r"credit balance is too low",
    r"(?:no|any|out of|enough) credits?\b",
    r"billing (?:is |has )?(?:not |hard )",
    r"payment required",
)
_BAD_KEY = _words(
    r"(?:invalid|incorrect|expired|wrong|missing) api[ _-]?key", r"api[ _-]?key (?:is )?(?:not valid|invalid|expired)"
)
_NO_MODEL = _words(
    r"\bmodel\b[^.]{0,100}\b(?:not (?:found|exist|a valid)|decommissioned|deprecated|no longer|unavailable)",
    r"\b(?:invalid|unknown) model\b",
    r"not a valid model",
    r"no models? (?:is |are )?(?:currently )?loaded",
)
_FILTERED = _words(
    r"content[ _]?(?:management|filter|policy)", r"flagged (?:by|as|for)", r"\bsafety (?:system|filter|settings)"
)
# However a service says that the messages don't fit. Limits per minute or day are another matter.
_TOO_LONG = _words(
    r"context[ _-]?(?:length|window|size|limit)",
    r"when context the overflows",
    r"maximum (?:prompt|model|input|sequence) length",
    r"\b(?:prompt|inputs?|messages|history)\b[^.]{0,80}\b(?:too (?:long|large|many)|exceed|longer than|must have less)",
    r"\btoo many (?:input |prompt )?tokens\b",
    r"\brequest (?:is )?(?:too large|entity too large)",
    r"\brequest exceed\w*\b",
    r"exceeded? model token limit",
    r"\btokens\b[^.]{0,40} must be <=",
    r"reduce the length",
    r"\bstring too long",
    r"range of input length",
)
_RATE = _words(r"\b(?:per|a) (?:minute|second|hour|day)\b", r"\brate[ _-]?limit")
_OUTPUT_LIMIT = _words(r"max_(?:completion_)?tokens\W{0,3} must be")
_AGAIN_IN = re.compile(
    r"(?:try again|retry|wait)[^.]{0,20}? (?:in|after|for) "
    r"(?:(\d{1,3})h)?(?:(\d{1,5})m(?!s))?(?:(\d{1,9}(?:\.\d+)?)\s?(ms|s)\b)?",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Refusal:
    """What a service said instead of an answer. names: the codes, types and parameters of its error, in lower case."""

    status: int
    words: str
    names: frozenset[str]

    @property
    def kind(self) -> str:
        """The row of `errors.RULES`."""
        status, words, names = self.status, self.words, self.names
        if names & _QUOTA_NAMES or (status in (400, 403, 429) and _NO_CREDIT.search(words)):
            return "quota"
        if status < 500 and (names & _FILTER_NAMES or (status in (400, 403) and _FILTERED.search(words))):
            return "content_filter"
        if self._is_too_long:
            return "context_length_exceeded"
        if status >= 500:
            return "server_error"
        if status in (400, 403) and _BAD_KEY.search(words):
            return "unauthorized"
        if status in (400, 422) and (names & _NO_MODEL_NAMES or _NO_MODEL.search(words)):
            return "model_not_found"
        return _BY_STATUS.get(status, "bad_request")

    @property
    def seconds(self) -> float | None:
        """How long to wait, if the service says "try again in 1m2.5s"."""
        match = _AGAIN_IN.search(self.words)
        if match is None or not any(match.groups()):
            return None
        hours, minutes, number, unit = match.groups()
        seconds = float(number or 0) / (1000 if unit == "ms" else 1)
        return min(int(hours or 0) * 3600 + int(minutes or 0) * 60 + seconds, 86400.0)

    @property
    def _is_too_long(self) -> bool:
        if self.status == 413 or self.names & _TOO_LONG_NAMES:
            return True
        if self.status == 429:  # waiting doesn't make a single request smaller
            return "request too large" in self.words.lower()
        is_another_limit = _RATE.search(self.words) or _OUTPUT_LIMIT.search(self.words)
        return self.status in (400, 422, 500) and bool(_TOO_LONG.search(self.words)) and not is_another_limit


def read(body: bytes, status: int = 0, key: str = "") -> Refusal:
    """The refusal in this response. status: 0 for an error inside a 200, whose own code says what it is."""
    try:
        value = loads(body)
    except ValueError:
        return Refusal(status or 500, redacted(_from_page(body), key), frozenset())
    names = _names(value, _DEPTH)
    words = plain("; ".join(dict.fromkeys(_spoken(value, _DEPTH)))[:LONGEST_READ])
    if not words:
        words = plain(body[:LONGEST_READ].decode(errors="replace"))
    return Refusal(status or _status_inside(names), redacted(words, key), frozenset(names))


def _status_inside(names: set[str]) -> int:
    """The HTTP status that an error inside a 200 stands for."""
    numbers = [int(name) for name in names if re.fullmatch("[45][0-9][0-9]", name)]
    return max(numbers or [_STATUS_OF_NAME[name] for name in names if name in _STATUS_OF_NAME], default=500)


def redacted(words: str, key: str) -> str:
    """The words, shortened and without the key, because services quote all or part of a key that they reject."""
    start = re.escape(key[:6]) + r"\S*" if len(key) >= 12 else re.escape(key)
    hidden = re.sub(
        rf"\bsk-\S+|{start}" if key else r"\bsk-\S+", "[key]", words.replace(key, "[key]") if key else words
    )
    return hidden if len(hidden) <= LONGEST_WORDS else f"{hidden[: LONGEST_WORDS - 1]}…"


def _spoken(value: object, depth: int) -> list[str]:
    """The sentences in an error of any shape."""
    if depth == 0:
        return []
    if isinstance(value, str):
        return _from_text(value, depth)
    if isinstance(value, list):
        return [words for item in value[:5] for words in _spoken(item, depth - 1)]
    fields = as_dict(value)
    if "loc" in fields and "msg" in fields:  # pydantic: where, and what
        where = ".".join(as_text(part) for part in as_list(fields["loc"]) if part != "body")
        return [f"{where}: {as_text(fields['msg'])}"]
    found = [words for name in _SPOKEN if name in fields for words in _spoken(fields[name], depth - 1)]
    # OpenRouter quotes the service behind it as `metadata.raw`.
    found += _spoken(as_dict(fields.get("metadata")).get("raw"), depth - 1)
    return found or [words for name in _SPOKEN_LAST if name in fields for words in _spoken(fields[name], depth - 1)]


def _from_text(text: str, depth: int) -> list[str]:
    """Some services quote another service's JSON."""
    text = text.strip()
    if text[:1] in ("{", "["):
        try:
            return _spoken(loads(text.encode(errors="replace")), depth - 1) or [text]
        except ValueError:
            pass
    return [text] if text else []


def _names(value: object, depth: int) -> set[str]:
    if depth == 0:
        return set()
    found: set[str] = set()
    for item in as_list(value)[:5]:
        fields = as_dict(item)
        found |= {as_text(fields.get(name)).lower() for name in _NAMED}
        for inner in ("error", "innererror", "details"):
            found |= _names(fields.get(inner), depth - 1)
    return found - {""}


def _from_page(body: bytes) -> str:
    """A page's text, without its markup."""
    text = body[: 64 * 1024].decode(errors="replace")
    text = re.sub(r"(?is)<(script|style)\b.*?(?:</\1\s*>|\Z)|<!--.*?(?:-->|\Z)", " ", text)
    return plain(html.unescape(re.sub(r"<[^<>]*>", " ", text)))[:LONGEST_WORDS]
