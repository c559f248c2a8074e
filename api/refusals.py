"""Refusals that DRF has no class for."""

from rest_framework.exceptions import APIException


class Conflict(APIException):
    """409: the state of the row does not allow it now."""

    status_code = 409
    default_code = "conflict"

    def __init__(self, detail: str, wait: int | None = None) -> None:
        super().__init__(detail)
        if wait is not None:
            self.wait = wait  # DRF makes it Retry-After
