"""Fixtures of the tests of `manage.py doctor`."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from operations.tests.doctoring import SETTINGS, Outside
from tests.fake_network import FakeNetwork


@pytest.fixture
def outside(network: FakeNetwork, settings: Any, tmp_path: Path) -> Outside:
    for name, value in SETTINGS.items():
        setattr(settings, name, value)
    settings.MEDIA_ROOT = str(tmp_path)
    network.graph = outside = Outside()
    return outside


@pytest.fixture
def no_workers(transactional_db: None) -> Iterator[None]:
    """Their table isn't emptied after a test."""
    yield
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM procrastinate_workers")
