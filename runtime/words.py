"""The words of a text in any script, for full-text search, and the same words for a query.

Texts are compared as people see them: without case, accents, vowel points and invisible characters. Scripts that don't
put spaces between words are indexed by pairs of neighbouring characters.
"""

import re
import unicodedata
from collections.abc import Iterator
from typing import Final

MAX_CHARACTERS: Final = 10_000  # of a text; the rest isn't indexed
MAX_WORD: Final = 250  # characters of a word; longer ones are cut, in queries too
LONG: Final = 500  # characters; only longer texts are searched for piled-up marks

# What follows are the insides of character classes, as Python and PostgreSQL both read them.

# Accents and vowel points that may as well be left out, and characters that can't be seen. The vowel signs of Indic
# and Southeast Asian scripts aren't among them.
DROPPED: Final = (
    r"\u00ad\u0300-\u036f\u0483-\u0489"  # soft hyphen; Latin, Greek and Cyrillic accents
    r"\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7"  # Hebrew points
    r"\u0610-\u061a\u061c\u0640\u064b-\u065f\u0670\u06d6-\u06dc\u06df-\u06e4\u06e7\u06e8\u06ea-\u06ed"  # Arabic
    r"\u093c\u180b-\u180f"  # Devanagari nukta, Mongolian selectors
    r"\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f"  # more combining marks, keycaps
    r"\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff"  # joiners, directions, selectors
    r"\U0001f3fb-\U0001f3ff\U000e0000-\U000e0fff"  # skin tones, tags
)
# Each of these is a word.
EMOJI: Final = r"\u231a-\u23ff\u25a0-\u27bf\u2b00-\u2bff\U0001f000-\U0001f1e5\U0001f200-\U0001faff"
# Scripts without spaces between words, and Hangul, which joins particles and compounds. Two of the letters at the end
# make a flag.
UNSPACED: Final = (
    r"\u0e01-\u0e3a\u0e40-\u0e4e\u0e80-\u0eff"  # Thai, Lao
    r"\u1000-\u103f\u1050-\u109d\ua9e0-\ua9fe\uaa60-\uaa76\uaa7a-\uaa7f"  # Burmese
    r"\u1780-\u17d3\u17d7\u17dc\u17dd"  # Khmer
    r"\u1100-\u11ff\ua960-\ua97c\uac00-\ud7ff"  # Hangul
    r"\u3005-\u3007\u3021-\u3029\u3031-\u3035\u3038-\u303c\u3041-\u309f\u30a1-\u30fa\u30fc-\u312f\u31a0-\u31bf\u31f0-\u31ff"
    r"\u3400-\u4dbf\u4e00-\ua48f\uf900-\ufaff\U00020000-\U0003ffff"  # Chinese characters, Yi
    r"\U0001f1e6-\U0001f1ff"
)
# Beside the space: punctuation, symbols, other spaces and control characters. Everything else is a part of a word, so
# what Unicode adds later can be found, too.
SEPARATORS: Final = (
    r"\u0001-\u001f\u0021-\u002f\u003a-\u0040\u005b-\u0060\u007b-\u00bf\u00d7\u00f7\u02c2-\u02c5\u02d2-\u02eb\u02ed"
    r"\u02ef-\u02ff\u0375\u037e\u0387\u03f6\u0482\u055a-\u055f\u0589-\u058f\u05be\u05c0\u05c3\u05c6\u05f3-\u060f\u061b-\u061f"
    r"\u066a-\u066d\u06d4\u06dd\u06de\u06e9\u06fd\u06fe\u0700-\u070f\u07f6-\u07f9\u07fe\u07ff"
    r"\u0964\u0965\u0970\u09f2\u09f3\u09fa\u09fb\u09fd\u0a76\u0af0\u0af1\u0b70\u0bf3-\u0bfa\u0c77\u0c7f\u0c84\u0d4f"
    r"\u0d79\u0df4\u0e3f\u0e4f\u0e5a\u0e5b\u0f01-\u0f17\u0f1a-\u0f1f\u0f34\u0f36\u0f38\u0f3a-\u0f3d\u0f85\u0fbe-\u0fda"
    r"\u104a-\u104f\u109e\u109f\u10fb\u1360-\u1368\u1390-\u1399\u1400\u166d\u166e\u1680\u169b\u169c\u16eb-\u16ed"
    r"\u17d4-\u17d6\u17d8-\u17db\u1800-\u180a\u1940-\u1945\u19de-\u19ff\u1aa0-\u1aa6\u1aa8-\u1aad\u1b5a-\u1b6a"
    r"\u1c3b-\u1c3f\u1c7e\u1c7f\u2000-\u20cf\u2100-\u2319\u2400-\u259f\u27c0-\u2aff\u2cf9-\u2cfc\u2cfe\u2cff\u2d70"
    r"\u2e00-\u2e2e\u2e30-\u3004\u3008-\u3020\u302a-\u3030\u3036\u3037\u303d-\u3040\u30a0\u30fb\u3190-\u319f\u31c0-\u31ef"
    r"\ua4fe\ua4ff\ua60d-\ua60f\ua673\ua67e\ua6f2-\ua716\ua720\ua721\ua789\ua78a\ua828-\ua82b\ua836-\ua839\ua874-\ua877"
    r"\ua8ce\ua8cf\ua8f8-\ua8fa\ua8fc\ua92e\ua92f\ua95f\ua9c1-\ua9cd\ua9de\ua9df\uaa5c-\uaa5f\uaa77-\uaa79\uaade\uaadf"
    r"\uaaf0\uaaf1\uab5b\uab6a\uab6b\uabeb\ue000-\uf8ff\ufbb2-\ufbc1\ufd3e-\ufd4f\ufdfd-\ufdff\ufe10-\ufe19\ufe30-\ufe6f"
    r"\ufff9-\uffff\U000f0000-\U0010ffff"
)

# Letters that look like others with an accent, although Unicode doesn't say so.
LATIN: Final = {
    **{"ø": "o", "đ": "d", "ð": "d", "ħ": "h", "ı": "i", "ł": "l", "ŋ": "n", "ŧ": "t", "ə": "e"},
    **{"ɓ": "b", "ɗ": "d", "ƙ": "k", "ƴ": "y", "ɔ": "o", "ɛ": "e"},
}
OTHERS: Final = {
    "ς": "σ",
    # Arabic, Persian and Urdu write yeh, kaf, heh and alef in several ways.
    **dict.fromkeys("\u0649\u06cc\u06d2", "\u064a"),
    **dict.fromkeys("\u0629\u06be\u06c1\u06c3\u06d5", "\u0647"),
    **{"\u06a9": "\u0643", "\u0671": "\u0627"},
    "\u0901": "\u0902",  # the two signs of a nasal vowel in Hindi
}
LIGATURES: Final = {"ß": "ss", "æ": "ae", "œ": "oe", "þ": "th"}
# Where the digits from 0 to 9 begin: Arabic, Persian, N'Ko, the scripts of India from Devanagari to Malayalam, Thai,
# Lao, Tibetan, Burmese, Khmer.
ZEROS: Final = "٠۰߀०০੦૦୦௦౦೦൦๐໐༠၀០"
HIRAGANA: Final = range(0x3041, 0x3097)  # read as Katakana, which begins 0x60 later

# Putting marks in order takes quadratic time, so runs longer than anyone would write are dropped.
MARKS: Final = "".join(chr(each) for each in range(0x20000) if unicodedata.combining(chr(each)))
HEAP: Final = 30
# Unicode composes these from their parts. Other scripts stay decomposed.
COMPOSED: Final = r"\u1100-\u11ff\u3041-\u30ff"  # Hangul and kana

_FOLDED: Final = (
    {ord(letter): plain for letter, plain in (LATIN | OTHERS | LIGATURES).items()}
    | {ord(zero) + digit: str(digit) for zero in ZEROS for digit in range(10)}
    | {letter: letter + 0x60 for letter in HIRAGANA}
)
_DROPPED: Final = re.compile(f"[{DROPPED}]+")
_HEAP: Final = re.compile(f"[{MARKS}]{{{HEAP},}}")
_COMPOSED: Final = re.compile(f"[{COMPOSED}]")
_RUN: Final = re.compile(f"[{UNSPACED}]")
# PostgreSQL can't store the first two: NUL and surrogates.
_LETTER: Final = rf"[^ \x00\ud800-\udfff{SEPARATORS}{UNSPACED}{EMOJI}]"
_WORD: Final = re.compile(rf"(?P<run>[{UNSPACED}]+)|[{EMOJI}]|{_LETTER}+")


def fold(text: str) -> str:
    """The text as it's compared: `Café`, `CAFE` and `ｃａｆé` are all `cafe`. At most `MAX_CHARACTERS`."""
    text = text[:MAX_CHARACTERS]
    if text.isascii():
        return text.lower()
    text = _DROPPED.sub("", text)
    if len(text) > LONG:
        text = _HEAP.sub("", text)
    text = _DROPPED.sub("", unicodedata.normalize("NFKD", text))
    if _COMPOSED.search(text):
        text = unicodedata.normalize("NFC", text)
    return text[:MAX_CHARACTERS].lower().translate(_FOLDED)


def pieces(text: str) -> list[str]:
    """The words as they're written, folded, in order. Of a script without spaces, these are whole runs."""
    return [found[0] if found["run"] else found[0][:MAX_WORD] for found in _WORD.finditer(fold(text))]


def index_words(text: str) -> list[str]:
    """The words to index, in order, with repetitions.

    A run of a script without spaces gives its pairs of neighbours and its last character, so that a single character
    is always the beginning of a word: `蛋糕店` is `蛋糕`, `糕店` and `店`.
    """
    return _words(text, last=True)


def query_words(text: str) -> list[str]:
    """The words that a text must have to match, in order. Each may also be the beginning of a longer one.

    Of a run of a script without spaces, these are the pairs only, or its one character.
    """
    return _words(text, last=False)


def _words(text: str, last: bool) -> list[str]:
    words: list[str] = []
    for piece in pieces(text):
        if _RUN.match(piece):
            end = len(piece) if last or len(piece) == 1 else len(piece) - 1
            words += [piece[start : start + 2] for start in range(end)]
        else:
            words.append(piece)
    return words


def occurrences(text: str, term: str) -> list[tuple[int, int]]:
    """Where the text contains words of the term, by their beginnings: positions in the text as it is, in order."""
    wanted = sorted(set(pieces(term)), key=len, reverse=True)
    text = text[:MAX_CHARACTERS]
    letters = list(_letters(text))
    folded, places = "", []  # for each folded character, the letter that it's from
    for place, (letter, _) in enumerate(letters):
        plain = fold(letter)
        folded += plain
        places += [place] * len(plain)
    ends = [*(start for _, start in letters[1:]), len(text)]
    beginnings = "|".join(
        re.escape(piece) if _RUN.match(piece) else rf"(?<!{_LETTER}){re.escape(piece)}" for piece in wanted
    )
    found: list[tuple[int, int]] = []
    for match in re.finditer(beginnings, folded) if wanted else ():
        start, end = letters[places[match.start()]][1], ends[places[match.end() - 1]]
        if found and start <= found[-1][1]:  # next to each other, such as the parts of one emoji
            found[-1] = found[-1][0], max(end, found[-1][1])
        else:
            found.append((start, end))
    return found


def _letters(text: str) -> Iterator[tuple[str, int]]:
    """Each letter with the marks that belong to it, and where it begins."""
    start = 0
    for at in range(1, len(text)):
        if unicodedata.category(text[at])[0] != "M" and not _DROPPED.match(text[at]):
            yield text[start:at], start
            start = at
    if text:
        yield text[start:], start


def quoted(word: str) -> str:
    """A word in PostgreSQL's notation of a tsquery or tsvector."""
    return "'{}'".format(word.replace("\\", "\\\\").replace("'", "''"))
