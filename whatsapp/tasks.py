"""Jobs that fetch customers' files, retry quarantined events and judge echoes."""

from procrastinate import RetryStrategy
from procrastinate.contrib.django import app

from runtime.database import database_sync_to_async
from runtime.jobs import every

from .media import fetching
from .quarantine import replays
from .webhook import echoes


@app.task(queue="files")
async def fetch() -> None:
    """Fetch the next file that is due. Safe to run twice."""
    await fetching.BACKLOG.run(fetching.fetch_one)


@every(1)
def find_files_to_fetch() -> int:
    return fetching.BACKLOG.find_due()


@app.task(queue="maintenance", retry=RetryStrategy(max_attempts=20, wait=5))  # until the database is available again
async def replay(event_id: int) -> None:
    """Retry one quarantined event. Safe to run twice."""
    await database_sync_to_async(replays.replay)(event_id)


@app.task(queue="maintenance", retry=RetryStrategy(max_attempts=20, wait=5))  # until the database is available again
async def judge_echo(message_id: int) -> None:
    """Correct what an automatic echo was first taken for. Safe to run twice."""
    await database_sync_to_async(echoes.judge)(message_id)
