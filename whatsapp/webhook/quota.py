"""How much an account's own app may deliver per minute, counted in the database for all processes.

Anyone with a number can be the owner of a Meta app and sign whatever they like with its secret. The installation's own
app isn't limited: it delivers for all businesses, and only Meta knows its secret.
"""

import math
from collections.abc import Sequence

from django.conf import settings

from runtime import prepared

from .types import Signer

_SPEND = """
INSERT INTO whatsapp_delivery_windows AS w (account_id, started_at, units)
SELECT id, clock_timestamp(), %(units)s::int FROM whatsapp_accounts WHERE id = ANY (%(accounts)s::bigint[]) ORDER BY id
ON CONFLICT (account_id) DO UPDATE SET
    started_at = CASE WHEN w.started_at > clock_timestamp() - {0} THEN w.started_at ELSE clock_timestamp() END,
    units = CASE WHEN w.started_at > clock_timestamp() - {0} THEN w.units ELSE 0 END + EXCLUDED.units
RETURNING units, EXTRACT(EPOCH FROM started_at + {0} - clock_timestamp())
""".format("interval '1 minute'")


class QuotaExceeded(Exception):
    """The app has delivered too much. Meta delivers again."""

    def __init__(self, accounts: Sequence[int], seconds: int) -> None:
        super().__init__(f"accounts {accounts}")
        self.seconds = seconds  # until the next minute begins


def spend(signer: Signer, units: int) -> None:
    """Count these units for each of the signer's accounts. Raises QuotaExceeded."""
    if not signer.accounts:
        return
    windows = prepared.execute(_SPEND, {"accounts": sorted(signer.accounts), "units": units})
    over = [math.ceil(seconds) for used, seconds in windows if used > settings.WEBHOOK_APP_RATE_LIMIT]
    if over:
        raise QuotaExceeded(sorted(signer.accounts), max(1, *over))
