"""Jobs that extract the content of customers' files."""

from procrastinate.contrib.django import app

from runtime.jobs import every

from .files import extraction


@app.task(queue="files")
async def read() -> None:
    """Read the next file that is due. Safe to run twice."""
    await extraction.BACKLOG.run(extraction.read_one)


@every(1)
def find_files_to_read() -> int:
    return extraction.BACKLOG.find_due()
