from collections.abc import Callable

import pytest
from pytest_django import Settings

from tests.fake_network import FakeNetwork

from .fake_graph import Answer, FakeGraph

TOKEN = "EAAtest0123456789"


@pytest.fixture
def graph_settings(settings: Settings) -> Settings:
    """One business with a token, a URL where no one answers, and no waits."""
    settings.MULTITENANT_ENABLED = False
    settings.WHATSAPP_ACCESS_TOKEN = TOKEN
    settings.WHATSAPP_GRAPH_URL = "https://graph.test"
    settings.WHATSAPP_GRAPH_VERSION = "v24.0"
    settings.RETRY_TIME_SCALE = 0
    return settings


@pytest.fixture
def fake_graph(graph_settings: Settings, network: FakeNetwork) -> Callable[..., FakeGraph]:
    """Make Graph answer as given."""

    def answers(*given: Answer) -> FakeGraph:
        network.graph = fake = FakeGraph(*given)
        return fake

    return answers
