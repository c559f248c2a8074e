"""Why a customer's file couldn't be downloaded, and when to try again. Times are in seconds;
`settings.RETRY_TIME_SCALE` shortens them in tests. Meta keeps a file for 7 days. Its URL is valid for 5 minutes, so
each attempt requests a new one.
"""

from conversations.outbox.senders import Policy
from whatsapp.graph.client import GraphError
from whatsapp.graph.errors import BAD_REQUEST, code_as_text, rule_for

HOUR = 3600.0
# Seconds before the second, third, … attempt; when they're used up, the file is unavailable.
WAITS: dict[str, tuple[float, ...]] = {
    # No connection, a lost one, or a timeout.
    "no_connection": (1, 5, 30, 120, 600, HOUR),
    "broken": (1, 5, 30, 120, 600, HOUR),
    "timeout": (5, 60, 600, HOUR),
    # 5xx, or a response that isn't from Meta.
    "unavailable": (1, 5, 30, 120, 600, HOUR),
    "throttled": (5, 30, 120, 600, HOUR),
    # The URL was refused: it's valid for 5 minutes.
    "expired": (0, 1, 30, 300),
    # Not the bytes that Meta announced: truncated, or a proxy's page.
    "altered": (1, 30, 300),
    # A refused or missing token: someone may replace it.
    "token": (300, HOUR, 6 * HOUR, 24 * HOUR, 48 * HOUR),
    # Retrying won't help.
    "gone": (),
    "too_large": (),
    "not_what_it_says": (),
    "elsewhere": (),
    "refused": (),
}


class FetchFailed(Exception):
    """A file wasn't downloaded. `kind` names a row of `WAITS`; `detail` is for users and never contains the token."""

    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(f"{kind}: {detail}")
        self.kind = kind
        self.detail = detail

    def wait(self, attempts: int) -> float | None:
        """Seconds until the next attempt after this many; None if there's none."""
        waits = WAITS[self.kind]
        return waits[attempts - 1] if attempts <= len(waits) else None


def of_graph(error: GraphError) -> FetchFailed:
    """What it means for a file that the Graph API didn't return its URL."""
    detail = f"Meta didn't provide the file's URL: {error.message}"
    if error.before_a_byte:
        return FetchFailed("no_connection", error.message)
    if error.uncertain:
        return FetchFailed("unavailable", detail)
    rule = rule_for(error.code, error.http_status)
    detail = f"Meta didn't provide the file's URL: {code_as_text(error.code)}."
    if rule.policy == Policy.HOLD:
        return FetchFailed("token", detail)
    if rule.pause or error.http_status == 429:
        return FetchFailed("throttled", detail)
    if rule is BAD_REQUEST or error.http_status == 404:
        return FetchFailed("gone", "Meta no longer has the file: it keeps files for 7 days.")
    return FetchFailed("refused" if rule.policy == Policy.FAIL else "unavailable", detail)
