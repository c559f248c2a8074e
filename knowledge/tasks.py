"""The jobs that read files, web pages and sitemaps."""

from procrastinate.contrib.django import app

from runtime.jobs import every

from . import indexing
from .reading import work


@app.task(queue="knowledge")
async def read() -> None:
    """Read the next source that is due. Safe to run twice."""
    await work.BACKLOG.run(work.read_one)


@every(1)
def find_due() -> int:
    return work.BACKLOG.find_due()


@every(60)
def count_frequent_terms() -> int:
    return indexing.count_frequent_terms()
