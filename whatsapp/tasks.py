"""The fetching of customers' files."""

import datetime as dt

from asgiref.sync import sync_to_async
from django.utils import timezone
from procrastinate.contrib.django import app

from . import media

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
