from collections.abc import Iterator
from typing import Any

import pytest

from .receiver import Receiver, receiving


@pytest.fixture
def receiver(settings: Any) -> Iterator[Receiver]:
    """A receiver on this machine, which a setting allows to be reached."""
    settings.WEBHOOKS_ALLOW_PRIVATE = True
    with receiving() as receiver:
        yield receiver
