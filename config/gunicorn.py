"""gunicorn's configuration: `python -m gunicorn -c config/gunicorn.py`."""

import os

from config.settings import DEBUG, PORT, env  # also reads `.env`, and refuses to start without the secrets

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")  # for the worker class
wsgi_app = "config.wsgi"
# On a developer's machine, only accept local connections.
bind = f"{env.str('WEB_HOST', default='127.0.0.1' if DEBUG else '0.0.0.0')}:{PORT}"  # noqa: S104

# Reads each request without a thread; docs/adr/0005-web-server.md says why.
worker_class = "config.web.server.Server"
workers = env.int("WEB_CONCURRENCY", default=2)
threads = env.int("WEB_THREADS", default=16)
worker_connections = 500  # per process; including temporary files, this stays below the usual limit of 1024 open files

timeout = 60
graceful_timeout = 30
keepalive = 5

# The proxy usually keeps the access log; `WEB_ACCESS_LOG=true` turns ours on.
accesslog = "-" if env.bool("WEB_ACCESS_LOG", default=False) else None
errorlog = "-"
loglevel = "warning"
control_socket_disable = True
