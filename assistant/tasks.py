"""Background jobs: learning what is in customers' files."""

from procrastinate.contrib.django import app

from .files import extraction


@app.task
async def read(attachment_id: int) -> None:
    """Learn what is in one file if it is due. Harmless to run twice."""
    await extraction.JOBS.run(attachment_id, extraction.read_one)
