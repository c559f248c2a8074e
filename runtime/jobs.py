"""placeholder until the queues branch lands"""

import asyncio
from collections.abc import Callable


def every(seconds: float) -> Callable[[Callable[[], int]], Callable[[], int]]:
    def register(function: Callable[[], int]) -> Callable[[], int]:
        return function

    return register


async def run_queues(stop: asyncio.Event) -> None:
    await stop.wait()
