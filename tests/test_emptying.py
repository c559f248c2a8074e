"""What one transactional test stores isn't there in the next."""

import pytest
from django.contrib.auth.models import Permission, User
from procrastinate.contrib.django.models import ProcrastinateJob

from runtime import jobs
from tenants.models import Tenant
from tests.emptying import delete_rows

pytestmark = pytest.mark.django_db(transaction=True)


def test_all_rows_are_deleted_but_those_that_each_test_starts_with() -> None:
    delete_rows()
    permissions = Permission.objects.count()
    user = User.objects.create(username="ann")
    user.user_permissions.add(Permission.objects.all()[0])
    jobs.defer("webhooks.tasks.deliver", {})
    assert delete_rows() > 3
    assert delete_rows() == 1  # the single business
    assert (User.objects.count(), ProcrastinateJob.objects.count()) == (0, 0)
    assert (Tenant.objects.get().is_single, Permission.objects.count()) == (True, permissions)
