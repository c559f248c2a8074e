from collections.abc import Callable, Iterator

import pytest
from pytest_django import Settings

from whatsapp.graph import client as graph_client

from .fake_graph import Answer, FakeGraph

TOKEN = "EAAtest0123456789"


@pytest.fixture
def graph_settings(settings: Settings) -> Settings:
    """One business, its token, an address that reaches nobody; no waits."""
    settings.MULTITENANT_ENABLED = False
    settings.WHATSAPP_ACCESS_TOKEN = TOKEN
    settings.WHATSAPP_GRAPH_URL = "https://graph.test"
    settings.WHATSAPP_GRAPH_VERSION = "v24.0"
    settings.RETRY_TIME_SCALE = 0
    return settings


@pytest.fixture
def fake_graph(graph_settings: Settings) -> Iterator[Callable[..., FakeGraph]]:
    """Make Graph answer as given."""

    def answers(*given: Answer) -> FakeGraph:
        fake = FakeGraph(*given)
        graph_client.set_transport(fake)
        return fake

    yield answers
    graph_client.set_transport(None)
