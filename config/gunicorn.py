"""gunicorn's configuration: `python -m gunicorn -c config/gunicorn.py`."""

import math
import os

from gunicorn.arbiter import Arbiter

from config import keys
from config.settings import (
    DEBUG,
    LOGGING,
    PORT,
    WEB_DRAIN_SECONDS,
    WEB_HOST,
    env,
)  # also reads `.env`, and refuses to start without the secrets

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")  # for the worker class
wsgi_app = "config.wsgi"
bind = f"{WEB_HOST}:{PORT}"

# Reads each request without a thread; docs/adr/0005-web-server.md says why.
worker_class = "config.web.server.Server"
workers = env.int("WEB_CONCURRENCY", default=2)
threads = env.int("WEB_THREADS", default=16)
worker_connections = 500  # per process; including temporary files, this stays below the usual limit of 1024 open files

timeout = 60
graceful_timeout = 30 + math.ceil(WEB_DRAIN_SECONDS)
keepalive = 5

# The proxy usually keeps the access log; `WEB_ACCESS_LOG=true` turns ours on.
accesslog = "-" if env.bool("WEB_ACCESS_LOG", default=False) else None
errorlog = "-"
loglevel = "warning"
if "()" in LOGGING["formatters"]["line"]:  # JSON
    logconfig_dict = {"formatters": {"generic": LOGGING["formatters"]["line"]}}
control_socket_disable = True


def on_starting(server: Arbiter) -> None:
    """Before it binds: `-b` on the command line may name another address than WEB_HOST."""
    if DEBUG:
        keys.refuse_public_debugging([each[0] if isinstance(each, tuple) else str(each) for each in server.cfg.address])
