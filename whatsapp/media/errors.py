"""Why a customer's file could not be fetched, and when to try again: the whole table.

Seconds here are those of production; `settings.RETRY_TIME_SCALE` shortens all of them in tests. Meta keeps a file for
7 days; its address is good for 5 minutes, and each attempt asks for a new one.
"""

from whatsapp.graph.client import GraphError
from whatsapp.graph.errors import BAD_REQUEST, rule_for, words

HOUR = 3600.0
# Seconds before the second, third, … attempt; when they are used up, the file is not available.
WAITS: dict[str, tuple[float, ...]] = {
    # No connection, or it broke, or took too long.
    "no_connection": (1, 5, 30, 120, 600, HOUR),
    "broken": (1, 5, 30, 120, 600, HOUR),
    "timeout": (5, 60, 600, HOUR),
    # 5xx, or an answer that is not Meta's.
    "unavailable": (1, 5, 30, 120, 600, HOUR),
    "throttled": (5, 30, 120, 600, HOUR),
    # The address was refused: it lives for 5 minutes.
    "expired": (0, 1, 30, 300),
    # Other bytes than Meta announced: cut off, or a proxy's page.
    "altered": (1, 30, 300),
    # A refused token, or none: somebody may put in another.
    "token": (300, HOUR, 6 * HOUR, 24 * HOUR, 48 * HOUR),
    # The rest comes to the same the next time.
    "gone": (),
    "too_large": (),
    "not_what_it_says": (),
    "elsewhere": (),
    "refused": (),
}


class FetchFailed(Exception):
    """A file was not fetched. `kind` names the row of `WAITS`; `detail` is for a person and never holds the token."""

    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(f"{kind}: {detail}")
        self.kind = kind
        self.detail = detail

    def wait(self, attempts: int) -> float | None:
        """Seconds until the next attempt after this many; None if there is none."""
        waits = WAITS[self.kind]
        return waits[attempts - 1] if attempts <= len(waits) else None


def of_graph(error: GraphError) -> FetchFailed:
    """What it means for a file that Graph did not tell its address."""
    detail = f"Meta did not say where the file is: {error.message}"
    if error.before_a_byte:
        return FetchFailed("no_connection", error.message)
    if error.uncertain:
        return FetchFailed("unavailable", detail)
    rule = rule_for(error.code, error.http_status)
    detail = f"Meta did not say where the file is: {words(error.code)}."
    if rule.on_hold:
        return FetchFailed("token", detail)
    if rule.pause or error.http_status == 429:
        return FetchFailed("throttled", detail)
    if rule is BAD_REQUEST or error.http_status == 404:
        return FetchFailed("gone", "Meta does not have the file any more; it keeps one for 7 days.")
    return FetchFailed("refused" if rule.permanent else "unavailable", detail)
