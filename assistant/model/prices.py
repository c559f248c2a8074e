"""What a reply costs, according to `MODEL_PRICES`."""

from decimal import Decimal

from django.conf import settings

from .errors import Completion

MILLION = Decimal(1_000_000)


def add(cost: Decimal | None, completion: Completion) -> Decimal | None:
    """The cost so far plus this completion's, in US dollars; None if the model has no price."""
    prices = settings.MODEL_PRICES.get(completion.model)
    if prices is None:
        return cost
    fresh, cached, output = (Decimal(str(price)) / MILLION for price in prices)
    uncached = completion.prompt_tokens - completion.cached_tokens
    spent = uncached * fresh + completion.cached_tokens * cached + completion.completion_tokens * output
    return (cost or Decimal(0)) + spent
