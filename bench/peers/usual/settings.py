"""The usual stack: Django, DRF's place taken by a plain view, Celery with Redis. The database is the bench's."""

import os

SECRET_KEY = "bench"
ALLOWED_HOSTS = ["127.0.0.1"]
ROOT_URLCONF = "bench.peers.usual.urls"
INSTALLED_APPS = ["bench.peers.usual"]
MIDDLEWARE = ["django.middleware.security.SecurityMiddleware", "django.middleware.common.CommonMiddleware"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": os.environ["PGDATABASE"],  # libpq reads the rest from the environment
        "CONN_MAX_AGE": 600,
    }
}
CELERY_BROKER_URL = os.environ["BENCH_REDIS"]
CELERY_TASK_IGNORE_RESULT = True

WHATSAPP_APP_SECRET = os.environ["WHATSAPP_APP_SECRET"]
WHATSAPP_GRAPH_URL = os.environ["WHATSAPP_GRAPH_URL"]
WHATSAPP_ACCESS_TOKEN = "token"
