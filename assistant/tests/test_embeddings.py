"""The boundary to an embedding model: what it may answer, and what is refused."""

import asyncio
import json
import math
from collections.abc import Callable

import httpx2
import pytest

from assistant.model import client
from assistant.model.embeddings import Vectors
from assistant.model.errors import ModelFailed
from assistant.models import Assistant

from .fake_model import FakeModel, refused

Answering = Callable[..., FakeModel]


def vectors(*found: object, **more: object) -> httpx2.Response:
    """A 200 as OpenAI documents it."""
    data = [{"object": "embedding", "index": place, "embedding": vector} for place, vector in enumerate(found)]
    usage = {"prompt_tokens": 8, "total_tokens": 8}
    return httpx2.Response(200, json={"object": "list", "data": data, "model": "m", "usage": usage} | more)


def embed(*texts: str) -> Vectors:
    return asyncio.run(client.embed(texts, Assistant(embedding_model="text-embedding-test"), 5))


def test_each_text_gets_its_vector_as_a_unit_vector(fake_model: Answering) -> None:
    model = fake_model(vectors([3, 4], [0.0, -2.0]))
    answer = embed("one", "two")
    assert answer == Vectors([[0.6, 0.8], [0.0, -1.0]], 8)
    assert str(model.requests[0].url) == "https://model.test/v1/embeddings"
    assert model.body() == {"model": "text-embedding-test", "input": ["one", "two"], "encoding_format": "float"}


def test_the_index_says_which_text_a_vector_is_for(fake_model: Answering) -> None:
    data = [{"index": 1, "embedding": [0, 1]}, {"index": 0, "embedding": [1, 0]}]
    fake_model(vectors(data=data))
    assert embed("one", "two").vectors == [[1, 0], [0, 1]]


@pytest.mark.parametrize("places", [(None, None), (0, 0), (1, 2), ("0", "1"), (5, 9)])
def test_without_useful_indexes_the_order_counts(fake_model: Answering, places: tuple[object, object]) -> None:
    data = [{"index": place, "embedding": vector} for place, vector in zip(places, ([1, 0], [0, 1]), strict=True)]
    fake_model(vectors(data=data))
    assert embed("one", "two").vectors == [[1, 0], [0, 1]]


def test_tokens_are_estimated_where_the_service_doesn_t_count_them(fake_model: Answering) -> None:
    fake_model(vectors([1.0], usage=None))
    assert embed("x" * 400).tokens == 101


@pytest.mark.parametrize("vector", [[1e300, 1e300], [1e-300, 0], [5e-324], [2**200, 1]])
def test_very_large_and_very_small_numbers_keep_their_direction_or_are_refused(
    fake_model: Answering, vector: list[float]
) -> None:
    fake_model(vectors(vector))
    try:
        [found] = embed("one").vectors
    except ModelFailed:
        return
    assert math.isclose(math.hypot(*found), 1)


@pytest.mark.parametrize(
    "answer",
    [
        vectors(),
        vectors([1.0]),
        vectors([1.0], [2.0], [3.0]),
        vectors([1.0, 2.0], [1.0]),
        vectors([1.0], []),
        vectors([1.0], None),
        vectors([1.0], "AACAPw=="),
        vectors([1.0], [None]),
        vectors([1.0], ["1"]),
        vectors([1.0], [True]),
        vectors([1.0], [[1.0]]),
        vectors([0.0], [1.0]),
        vectors([1.0] * 16_001, [1.0] * 16_001),
        httpx2.Response(200, content=b'{"data": [{"embedding": [NaN]}, {"embedding": [1]}]}'),
        httpx2.Response(200, content=b'{"data": [{"embedding": [Infinity]}, {"embedding": [1]}]}'),
        httpx2.Response(200, content=b'{"data": [{"embedding": [1e999]}, {"embedding": [1]}]}'),
        httpx2.Response(200, content=b"<html>Bad gateway</html>"),
        httpx2.Response(200, content=b""),
        httpx2.Response(200, json={"data": "no"}),
        httpx2.Response(200, json={"data": {"embedding": [1.0]}}),
        httpx2.Response(200, json=[]),
        httpx2.Response(200, json={"error": {"message": "no"}}),
        refused(401),
        refused(404, "model_not_found"),
        refused(429, "rate_limit_exceeded", headers={"Retry-After": "20"}),
        refused(500),
        httpx2.Response(302, headers={"Location": "https://elsewhere.test/"}),
        httpx2.ReadTimeout("slow"),
        httpx2.ConnectError("no"),
        httpx2.RemoteProtocolError("gone"),
    ],
    ids=lambda answer: str(getattr(answer, "content", answer))[:60],
)
def test_whatever_else_comes_back_is_one_kind_of_failure(
    fake_model: Answering, answer: httpx2.Response | Exception
) -> None:
    fake_model(answer)
    with pytest.raises(ModelFailed):
        embed("one", "two")


def test_the_key_is_never_in_an_error(fake_model: Answering) -> None:
    key = "sk-test-0123456789"
    fake_model(httpx2.Response(400, content=json.dumps({"error": {"message": f"bad key {key}"}}).encode()))
    with pytest.raises(ModelFailed) as failure:
        embed("one")
    assert key not in str(failure.value)
