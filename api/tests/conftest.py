import pytest

from .programs import Programs


@pytest.fixture
def programs(db: None) -> Programs:
    return Programs()
