"""The fetching of customers' files, and the replaying of what is in quarantine."""

from procrastinate import RetryStrategy
from procrastinate.contrib.django import app

from runtime.database import database_sync_to_async

from .media import fetching
from .quarantine import replays


@app.task
async def fetch(attachment_id: int) -> None:
    """Fetch one file if it is due. Harmless to run twice."""
    await fetching.JOBS.run(attachment_id, fetching.fetch_one)


@app.task(retry=RetryStrategy(max_attempts=20, wait=5))  # a database that is away comes back
async def replay(replay_id: int) -> None:
    """Go through the pieces of a replay that are left. Harmless to run twice."""
    while await database_sync_to_async(replays.go_on)(replay_id):
        pass
