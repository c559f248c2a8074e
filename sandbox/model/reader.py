"""A reader: a model that answers only from its prompt, so that a test can prove what the prompt contains.

It quotes the sentence that has most of the question's rare words, or says that it doesn't know.
"""

import math
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from .replies import SITUATION, handover, read, reply, text_of

NAME = "sandbox-reader"
PASSAGE = re.compile(r"\[(\d+)\] ")  # where a passage of the business's knowledge begins
NO_ANSWER = "[?]"
LEAST = 0.5  # of what the question's words are worth together
STEM = 5  # letters that must agree: "deliver" finds "delivery"
COMMON = re.compile(
    r"what|which|when|where|who|whose|whom|why|how|does|did|do|is|are|was|were|has|have|had|can|could|will|would"
    r"|shall|should|much|many|any|some|tell|about|please|you|your|the|that|this|there|with|for|and|from"
)
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|(?<=[。！？])|\n")
_UNSPACED = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]+")


def answer(messages: list[dict[str, Any]]) -> str:
    """The answer to the customer's last line, from everything else. Asking for a person works as with the stand-in."""
    talk = read(messages)
    reason, _ = handover(talk)
    if reason:
        return reply(talk)
    *before, last = talk.latest.split("\n")
    told = [text_of(message.get("content")) for message in messages]
    asked = max((n for n, message in enumerate(messages) if message["role"] == "user"), default=0)
    told[asked] = "\n".join([*SITUATION.findall(told[asked]), *before])
    sentences = list(_sentences("\n".join(told)))
    question = _words(last)
    found = Counter(word for _, words, _ in sentences for word in words)
    worth = {word: math.log(1 + len(sentences) / (0.5 + found[word])) for word in question}
    best, score = "", 0.0
    for sentence, words, passage in sentences:
        reached = sum(worth[word] for word in question & words)
        if reached >= score:  # of equals, the newest
            best, score = f"{sentence} {passage}".strip(), reached
    is_marked = any(passage for _, _, passage in sentences)
    unknown = talk.language.say("unknown") + (f" {NO_ANSWER}" if is_marked else "")
    return best if score and score >= LEAST * sum(worth.values()) else unknown


def _sentences(text: str) -> Iterator[tuple[str, set[str], str]]:
    """Each with its words, and the mark of the passage that it's from."""
    passage = ""
    for sentence in filter(None, map(str.strip, _SENTENCE_END.split(text))):
        if begins := PASSAGE.match(sentence):
            passage = begins[0].strip()
        elif sentence.startswith("</"):
            passage = ""
        else:
            yield sentence, _words(sentence), passage


def _words(text: str) -> set[str]:
    """The beginnings of the words, without common ones; pairs of letters in scripts without spaces."""
    low = text.casefold()
    pairs = {run[n : n + 2] for run in _UNSPACED.findall(low) for n in range(max(1, len(run) - 1))}
    words = [word for word in re.findall(r"\w+", _UNSPACED.sub(" ", low)) if not COMMON.fullmatch(word)]
    return pairs | {word[:STEM] for word in words if len(word) > 2 or word.isdecimal()}
