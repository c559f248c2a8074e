import pytest
from procrastinate.contrib.django.models import ProcrastinateJob

from tenants.tests.people import TwoBusinesses
from tests.stage import Stage


@pytest.fixture
def team(stage: Stage) -> TwoBusinesses:
    """Two businesses, and a worker."""
    ProcrastinateJob.objects.all()._raw_delete("default")  # the table isn't emptied between tests
    return TwoBusinesses()
