"""Recognises customers who ask for a human: the safety net for when the model doesn't call `hand_over`.

Each word of the text becomes a letter for what it means; rules about these letters then tell whether someone asks. So
the same few rules hold for every language, and for texts that mix them. A customer who is flagged without having asked
costs a glance; one who asked and isn't flagged waits for nothing. When in doubt, it's yes.

The words are in `words/`, one file per language, in lower case and without accents. A word that ends in * stands for
all that begin like it, longer phrases win over shorter ones, and slips of typing are found without being listed.
"""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

from runtime.words import fold

LONGEST = 2_000  # characters that are looked at
SHORTEST = 5  # letters of a word that's also found with a slip
VOWELS = "aeiouаеиоуы"
ARABIC_PREFIXES = ("وال", "بال", "لل", "ال", "و", "ب", "ل", "ف")

LETTERS = {
    "talk": "T",  # to speak with someone, or be passed on to someone
    "surely": "Y",  # a human, and nothing else
    "human": "S",  # someone of the team, such as an operator
    "member": "M",  # may be a member of the team, such as a colleague
    "anyone": "P",  # may be any person
    "real": "R",
    "want": "W",
    "give": "G",  # give me
    "exists": "E",  # is there
    "call": "C",  # call me
    "answer": "A",  # to answer or to call
    "not": "N",  # a negation before its word
    "after": "n",  # one after its word
    "bot": "B",
    "machine": "b",  # may also be one to buy
    "useless": "u",
    "who": "Q",  # who can I
    "are_you": "U",  # are you, am I talking to
    "my": "m",
    "when": "K",  # a condition
    "here": "h",
    "polite": "V",  # may surround a request
    "number": "#",
    "language": "L",
    "small": ".",  # words without a meaning of their own
    "harmless": "x",  # what would sound like one of these, and isn't
}
OTHER = "x"

# Before the rules: ten people, my manager; “Do you speak English?”; “Are you a bot?”
_NOT_MEANT = re.compile(
    r"(#[.x]?|m\.?)R?[SPMY]|T[.#]{0,2}L|L\.{0,2}T|U[.VhNE]*(R*[SPMYBb]+[.h]*)+|[SPYB]\.?U(?=[V.]*$)"
)
_ASKS = re.compile(
    r"Y"  # human
    r"|T[.#RWEVGQhN]{0,6}x?[.RWEVG]{0,4}[SPM]"  # talk to someone
    r"|[SPM][.RWEVQhGN]{0,5}x?[.RWEVGN]{0,5}T"  # someone I can talk to
    r"|Q[.xVWm]{0,4}T|Q[.V]{0,4}A"  # who can I talk to
    r"|[WG][.RVEGM]{0,5}S|S[.RVE]{0,4}[WG]"  # I want an operator
    r"|G[.RVWE]{0,3}[PM]|[PM][.RV]{0,3}G"  # give me someone
    r"|[WE][.VE]{0,4}P[.Vh]*$|^[.Vh]*P[.VP]*[Eh]?[.VEh]*$"  # is there anyone?
    r"|E[.RVh]{0,3}S(?!x)|S[.Vh]{0,3}E"  # is there an operator
    r"|R[.V]{0,2}[SPM]|[SPM][.V]{0,2}R|P\.{0,2}S"  # a real person
    r"|N[.#WVTRG]{0,5}B(?!x)|N[.WVx]{0,3}T[.#x]{0,3}[Bb]|N[.WVx]{0,3}[Bb][.V]{0,3}T|B[.xVT]{0,3}n"  # not a bot
    r"|[SPM].{0,8}B(?!x)|B(?!x).{0,10}[SPM]|B[.V]{0,3}u|u[.Vx]{0,3}B"  # someone instead of the stupid bot
    r"|[SPM][.xVWEThR]{0,5}[CA]|[CA][.xVWER]{0,4}[SPM]"  # someone should call me
    r"|^[.VWU]*C[.V]*$|C\.?V"  # call me, please
    r"|^[.VWREGhAm]*S[.VWREGhACS]*$"  # agent, please
)


def asks_for_person(text: str) -> bool:
    """Whether the customer asks for a human, in any of the languages."""
    sentences = re.split(r"[.!?;\n。！？؟…।]+", _plain(text[:LONGEST]))
    return any(_ASKS.search(_NOT_MEANT.sub(OTHER, "".join(_vocabulary.letters(sentence)))) for sentence in sentences)


def _plain(text: str) -> str:
    """As texts are compared in searches, and without letters that are repeated for emphasis."""
    return re.sub(r"([^\W\d_])\1{2,}", r"\1", fold(text))


def _with_slip(word: str) -> Iterator[str]:
    """How it's also typed: a letter is missing, two are swapped, or one vowel is another."""
    for at, letter in enumerate(word):
        yield word[:at] + word[at + 1 :]
        yield word[:at] + word[at + 1 : at + 2] + letter + word[at + 2 :]
        if letter in VOWELS:
            yield from (word[:at] + other + word[at + 1 :] for other in VOWELS if other.isascii() == letter.isascii())


class _Vocabulary:
    """The words of all languages. Where languages disagree about a word, the first file counts."""

    def __init__(self) -> None:
        self.exact: dict[str, str] = {}
        self.beginnings: dict[str, str] = {}
        for file in sorted(Path(__file__).with_name("words").glob("*.toml")):
            for name, listed in tomllib.loads(file.read_text(encoding="utf-8")).items():
                for phrase in (" ".join(each.split()) for each in _plain(listed).split(",")):
                    words = self.beginnings if phrase.endswith("*") else self.exact
                    key = _BETWEEN_UNSPACED.sub("", phrase.removesuffix("*"))
                    if name == "harmless" or key not in words:
                        words[key] = LETTERS[name]
        self.slips = {
            slip: letter
            for word, letter in self.exact.items()
            if letter in "TSPMYRWGBCn" and len(word) >= SHORTEST and " " not in word and not _UNSPACED.match(word)
            for slip in _with_slip(word)
        }
        self.most_words = max(phrase.count(" ") + 1 for phrase in self.exact)
        self.longest_unspaced = max(len(word) for word in self.exact if _UNSPACED.match(word))

    def letters(self, sentence: str) -> Iterator[str]:
        """What its words mean, longest phrases first."""
        words = _WORD.findall(_BETWEEN_UNSPACED.sub("", sentence))
        at = 0
        while at < len(words):
            number, letter = 1, ""
            if _UNSPACED.search(words[at]):
                yield from self._unspaced_letters(words[at])
            else:
                for number in range(min(self.most_words, len(words) - at), 0, -1):
                    if letter := self._meaning(" ".join(words[at : at + number])):
                        break
                yield letter or ("#" if words[at].isdigit() else OTHER)
            at += number

    def _meaning(self, phrase: str) -> str:
        if letter := self.exact.get(phrase) or self.slips.get(phrase, ""):
            return letter
        for end in range(len(phrase), phrase.rfind(" ") + 2, -1):
            if letter := self.beginnings.get(phrase[:end], ""):
                return letter
        if phrase.endswith("nya"):  # Indonesian: the, his
            return self.exact.get(phrase.removesuffix("nya"), "")
        shorter = (phrase.removeprefix(prefix) for prefix in ARABIC_PREFIXES if phrase.startswith(prefix))
        return next((letter for each in shorter if (letter := self.exact.get(each, ""))), "")

    def _unspaced_letters(self, run: str) -> Iterator[str]:
        """The words of a text in a language without spaces. Characters without a meaning count as one word."""
        at, is_other = 0, False
        while at < len(run):
            for end in range(min(len(run), at + self.longest_unspaced), at, -1):
                if letter := self.exact.get(run[at:end], ""):
                    yield letter
                    at, is_other = end, False
                    break
            else:
                if not is_other:
                    yield "#" if run[at].isdigit() else OTHER
                at, is_other = at + 1, True


_CHARACTERS = "\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3"  # of languages without spaces, and Korean
_UNSPACED = re.compile(f"[{_CHARACTERS}]")
_BETWEEN_UNSPACED = re.compile(rf"(?<=[{_CHARACTERS}])[\s、，]+(?=[{_CHARACTERS}])")
_WORD = re.compile(rf"[\d{_CHARACTERS}]*[{_CHARACTERS}]+|(?:(?![{_CHARACTERS}])[\w\u0900-\u097f])+")
_vocabulary = _Vocabulary()
