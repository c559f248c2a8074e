"""Jobs that fetch customers' files and retry quarantined events."""

from procrastinate import RetryStrategy
from procrastinate.contrib.django import app

from runtime.database import database_sync_to_async

from .media import fetching
from .quarantine import replays


@app.task
async def fetch(attachment_id: int) -> None:
    """Fetch one file if it is due. Harmless to run twice."""
    await fetching.JOBS.run(attachment_id, fetching.fetch_one)


@app.task(queue="maintenance", retry=RetryStrategy(max_attempts=20, wait=5))  # until the database is available again
async def replay(event_id: int) -> None:
    """Retry one quarantined event. Safe to run twice."""
    await database_sync_to_async(replays.replay)(event_id)
