"""Notices a reply that gives the assistant's instructions away, as they are or in a simple disguise.

Facts in the instructions are for customers, so a reply may quote some of them. It may not quote nearly all of the
instructions, a long piece of them, or a first sentence that speaks to the assistant. Only letters and digits are
compared. A translation isn't noticed.
"""

import base64
import codecs
import contextlib
import functools
import re
import unicodedata
from collections.abc import Iterator

SHINGLE = 24  # letters; pieces of the instructions are compared in this length
LEAST = 60  # letters of instructions that are long enough to be given away in full
MOST_COVERED = 0.7
LONGEST_RUN = 300  # letters: about sixty words
# Words that speak to the assistant, in the languages of most instructions.
_SPEAKS_TO_IT = re.compile(
    r"\b(?:you|your|du|dein\w*|ihr|sie sind|jij|je|jouw|tu|tú|eres|usted|vos|você|vocês|tua|seu|vous|tes|sei|tuo|lei è"
    r"|sen|siz|sizin|ty|jesteś|ты|вы|твоя|ви|kamu|anda|bạn|wewe|ni|dig)\b|你|您|あなた|당신|너는|आप|तुम|तू|أنت|انت|אתה"
    r"|คุณ|தாங்கள்|நீங்கள்|మీరు|আপনি|তুমি",
    re.IGNORECASE,
)
_ENCODED = re.compile(r"[A-Za-z0-9+/_-]{16,}={0,2}")
_SENTENCE = re.compile(r"(?<=[.!?])\s|[。！？।\n]")


def gives_away(reply: str, instructions: str) -> bool:
    """Whether the reply quotes too much of the instructions."""
    start, length, pieces = _read(instructions)
    for said in map(_letters, _readings(reply)):
        if len(start) >= SHINGLE and start in said:
            return True
        found = sum(piece in pieces for piece in {said[at : at + SHINGLE] for at in range(len(said) - SHINGLE + 1)})
        if (length >= LEAST and found >= MOST_COVERED * len(pieces)) or found > LONGEST_RUN - SHINGLE:
            return True
    return False


@functools.lru_cache(maxsize=256)
def _read(instructions: str) -> tuple[str, int, frozenset[str]]:
    """A first sentence that speaks to the assistant, the number of letters, and all pieces."""
    letters = _letters(instructions)
    opening = next(filter(None, map(str.strip, _SENTENCE.split(instructions))), "")
    pieces = frozenset(letters[at : at + SHINGLE] for at in range(max(1, len(letters) - SHINGLE + 1)))
    return _letters(opening) if _SPEAKS_TO_IT.search(opening) else "", len(letters), pieces


def _readings(text: str) -> Iterator[str]:
    """The text, and what it says backwards or decoded."""
    yield text
    yield text[::-1]
    yield codecs.encode(text, "rot13")
    joined = re.sub(r"\s+", "", text)
    for source in {text, joined}:
        for run in _ENCODED.findall(source):
            yield from _decoded(run)


def _decoded(run: str) -> Iterator[str]:
    plain = run.rstrip("=").translate({ord("-"): "+", ord("_"): "/"})
    with contextlib.suppress(ValueError):
        yield base64.b64decode(plain + "=" * (-len(plain) % 4)).decode("utf-8", "ignore")
    with contextlib.suppress(ValueError):
        yield bytes.fromhex(plain).decode("utf-8", "ignore")


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, unicodedata.normalize("NFKC", text).casefold()))
