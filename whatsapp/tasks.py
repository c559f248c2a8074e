"""The fetching of customers' files, and the replaying of what is in quarantine."""

import datetime as dt

from asgiref.sync import sync_to_async
from django.utils import timezone
from procrastinate import RetryStrategy
from procrastinate.contrib.django import app

from . import media, replays

AT_ONCE = 16  # in this process: each may need its size on the disk
AGAIN = dt.timedelta(seconds=2)
_under_way: set[int] = set()


@app.task
async def fetch(attachment_id: int) -> None:
    """Fetch one file if it is due. Harmless to run twice."""
    if len(_under_way) >= AT_ONCE:
        await sync_to_async(media.wake)([attachment_id], timezone.now() + AGAIN)
        return
    if attachment_id in _under_way:
        return
    _under_way.add(attachment_id)
    try:
        await media.fetch_one(attachment_id)
    finally:
        _under_way.discard(attachment_id)


@app.task(retry=RetryStrategy(max_attempts=20, wait=5))  # a database that is away comes back
async def replay(replay_id: int) -> None:
    """Go through the pieces of a replay that are left. Harmless to run twice."""
    while await sync_to_async(replays.go_on)(replay_id):
        pass
