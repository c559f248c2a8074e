"""`manage.py worker`."""

import asyncio
import signal
from typing import Any

from django.core.management.base import BaseCommand

from operations.worker import Worker


class Command(BaseCommand):
    help = "Answers customers, sends messages and runs background jobs. Run as many as you like."

    def handle(self, *args: Any, **options: Any) -> None:
        asyncio.run(_run())


async def _run() -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await Worker().run(stop)
