"""The boundary to an embedding model: every vector is checked here before anything is compared with it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from runtime import http
from runtime.untrusted_json import Json, as_dict, as_list

from . import answers
from .errors import ModelFailed
from .text import estimated_tokens

Vector = list[float]
MOST_DIMENSIONS = 16_000  # of a `vector` in pgvector
LARGEST = 1e18  # pgvector has single precision, and squares what it compares


@dataclass(frozen=True, slots=True)
class Vectors:
    """One vector for each text, in order, all of the same length; and what they cost."""

    vectors: Sequence[Vector]
    tokens: int


def read(response: http.Response, key: str, texts: Sequence[str]) -> Vectors:
    """The vectors in a response. Raises ModelFailed if there isn't a usable one for every text."""
    body = answers.checked(response, key)
    items = [as_dict(item) for item in as_list(body.get("data"))]
    if len(items) != len(texts):
        raise ModelFailed("unreadable", f"{len(texts)} texts were sent, and {len(items)} vectors came back")
    vectors = [_vector(item.get("embedding")) for item in _in_order(items)]
    if len({len(vector) for vector in vectors}) > 1:
        raise ModelFailed("unreadable", "the vectors have different lengths")
    tokens = answers.prompt_tokens(body)
    return Vectors(vectors, tokens or estimated_tokens(*texts))


def _in_order(items: Sequence[Json]) -> Sequence[Json]:
    """By their index, if every place has one. Some services give none, or 0 for each."""
    places = [item.get("index") for item in items]
    by_place = {place: item for place, item in zip(places, items, strict=True) if isinstance(place, int)}
    return [by_place[place] for place in range(len(items))] if by_place.keys() == set(range(len(items))) else items


def _vector(value: object) -> Vector:
    numbers = value if isinstance(value, list) else []
    if not 0 < len(numbers) <= MOST_DIMENSIONS:
        raise ModelFailed("unreadable", f"a vector has {len(numbers)} dimensions")
    if any(isinstance(number, bool) or not isinstance(number, int | float) for number in numbers):
        raise ModelFailed("unreadable", "a vector isn't made of numbers")
    vector = [float(number) for number in numbers]
    length = math.sqrt(math.fsum(number * number for number in vector))
    if not 0 < length < LARGEST:  # not comparable with others either
        raise ModelFailed("unreadable", "a vector has no direction")
    # Only the direction counts. As unit vectors, none is too small or too large for single precision.
    return [number / length for number in vector]
