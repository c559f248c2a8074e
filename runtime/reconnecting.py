"""A second attempt on a new connection: the old one may have died since it was last used."""

from collections.abc import Callable
from typing import TypeVar

from django.db import InterfaceError, OperationalError, connection

Result = TypeVar("Result")


def retry_on_new_connection(work: Callable[[], Result]) -> Result:
    """Run `work` again if its connection fails. It must be safe to repeat."""
    try:
        return work()
    except (OperationalError, InterfaceError):
        connection.close()
        return work()
