import logging
from collections.abc import Callable

import pytest
from pytest_django.fixtures import Settings

from tests.fake_network import FakeNetwork

from .fake_model import Answer, FakeModel

KEY = "sk-test-0123456789"


@pytest.fixture
def model_settings(settings: Settings) -> Settings:
    """A key, a URL where no one answers, and no waits."""
    settings.OPENAI_API_KEY = KEY
    settings.OPENAI_BASE_URL = "https://model.test/v1"
    settings.OPENAI_MODEL = "gpt-test"
    settings.RETRY_TIME_SCALE = 0
    return settings


@pytest.fixture
def fake_model(model_settings: Settings, network: FakeNetwork) -> Callable[..., FakeModel]:
    """Make the model answer as given."""

    def answers(*given: Answer) -> FakeModel:
        network.model = model = FakeModel(*given)
        return model

    return answers


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO)
    return caplog
