"""`manage.py worker`."""

import asyncio
import signal
import sys

from django.core.management.base import BaseCommand

from operations.worker import Worker
from runtime import http

if sys.platform == "win32":  # there's no uvloop
    from asyncio import new_event_loop
else:
    from uvloop import new_event_loop


class Command(BaseCommand):
    help = "Answers customers, sends messages and runs background jobs. Run as many as you like."

    def handle(self, *args: object, **options: object) -> None:
        with asyncio.Runner(loop_factory=new_event_loop) as runner:
            runner.run(_run())


async def _run() -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with http.keep_connections():
        await Worker().run(stop)
