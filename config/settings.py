"""Parley's settings, read from the environment and from `.env` next to `manage.py`. The environment takes precedence.
`docs/reference/settings.md` explains each variable; a test compares it with this file.
"""

import sys
from pathlib import Path

import django_stubs_ext
from django.core.exceptions import ImproperlyConfigured

from accounts import provider
from config import admin_theme, api_schema, env_file, keys
from config.database import database, program_folders
from config.media_storage import media_storage
from config.proxies import outgoing_proxies
from config.web import headers, sign_in
from config.web.logs import logging_settings

django_stubs_ext.monkeypatch()  # lets classes such as ModelForm[Lead] be subclassed

BASE_DIR = Path(__file__).resolve().parent.parent
env = env_file.Environment()
TESTING = "pytest" in sys.modules
if not TESTING:  # tests don't depend on the settings of the person running them
    env_file.read()

DEBUG = env.bool("DEBUG", default=False)


def required(name: str, development: str) -> str:
    """The value of a secret. Production doesn't start without it; development gets a placeholder."""
    value: str = env.str(name, default="").strip(" ,")
    if value or DEBUG or TESTING:
        return value or development
    raise ImproperlyConfigured(f"{name} is not set. Set it (see .env.example), or DEBUG=true on your own machine.")


SECRET_KEY = required("SECRET_KEY", keys.DEVELOPMENT_SECRET_KEY)
# Fernet keys, newest first: the first one encrypts, all of them decrypt.
FIELD_ENCRYPTION_KEYS = keys.field_keys(
    required("FIELD_ENCRYPTION_KEYS", keys.new_field_key() if TESTING else keys.DEVELOPMENT_FIELD_KEY), DEBUG
)
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["*"] if DEBUG or TESTING else [])
PORT = env.int("PORT", default=8000, most=65535)
# On a developer's machine, only accept local connections.
WEB_HOST = env.str("WEB_HOST", default="127.0.0.1" if DEBUG else "0.0.0.0")  # noqa: S104
if DEBUG:
    keys.refuse_public_debugging([WEB_HOST])
PUBLIC_URL = env.http_url("PUBLIC_URL", default=f"http://localhost:{PORT}")

# --- WhatsApp and the model -------------------------------------------------------------------------------
WHATSAPP_ENABLED = env.bool("WHATSAPP_ENABLED", default=True)
MULTITENANT_ENABLED = env.bool("MULTITENANT_ENABLED", default=False)
# Comma-separated; more than one while rotating the secret.
WHATSAPP_APP_SECRETS = [secret.strip() for secret in required("WHATSAPP_APP_SECRET", "").split(",") if secret.strip()]
WHATSAPP_VERIFY_TOKEN = required("WHATSAPP_VERIFY_TOKEN", "parley-verify")
WHATSAPP_ACCESS_TOKEN = env.str("WHATSAPP_ACCESS_TOKEN", default="")
WHATSAPP_WABA_ID = env.str("WHATSAPP_WABA_ID", default="")
SANDBOX = env.bool("SANDBOX", default=False)
if SANDBOX and not DEBUG:
    raise ImproperlyConfigured("SANDBOX=true needs DEBUG=true: anyone can use the sandbox, without a password.")
# Empty without the sandbox.
SANDBOX_URL = f"http://127.0.0.1:{PORT}/sandbox" if SANDBOX else ""
WHATSAPP_GRAPH_URL = env.http_url(
    "WHATSAPP_GRAPH_URL",
    # The sandbox only replaces services that aren't configured.
    default=f"{SANDBOX_URL}/graph" if SANDBOX and not WHATSAPP_ACCESS_TOKEN else "https://graph.facebook.com",
)
WHATSAPP_GRAPH_VERSION = env.str("WHATSAPP_GRAPH_VERSION", default="v24.0")
MESSAGE_SENDER = env.str("MESSAGE_SENDER", default="whatsapp.graph.sender.WhatsAppSender")

OPENAI_API_KEY = env.str("OPENAI_API_KEY", default="")
OPENAI_BASE_URL = env.http_url(
    "OPENAI_BASE_URL",
    default=f"{SANDBOX_URL}/openai/v1" if SANDBOX and not OPENAI_API_KEY else "https://api.openai.com/v1",
)
_IS_SANDBOXED = bool(SANDBOX_URL) and OPENAI_BASE_URL.startswith(SANDBOX_URL)
# Not deprecated in openai 3.54 (types/shared/chat_model.py).
OPENAI_MODEL = env.str("OPENAI_MODEL", default="Sandbox model" if _IS_SANDBOXED else "gpt-5.4-mini")
# The most that each business may use. 0 means no limit.
MODELS = env.list("MODELS", default=[])
MODEL_MAX_OUTPUT_TOKENS = env.int("MODEL_MAX_OUTPUT_TOKENS", default=8000)
BUSINESS_DAILY_TOKENS = env.int("BUSINESS_DAILY_TOKENS", default=0)
CUSTOMER_REPLIES_PER_HOUR = env.int("CUSTOMER_REPLIES_PER_HOUR", default=100)
MACHINE_EXCHANGES = env.int("MACHINE_EXCHANGES", default=5)
# Not deprecated in openai 3.54 (types/audio_model.py).
TRANSCRIPTION_MODEL = env.str("TRANSCRIPTION_MODEL", default="gpt-transcribe")
# {"model": [input, cached input, output]} in US dollars per million tokens; without it, costs aren't recorded.
MODEL_PRICES: dict[str, list[float]] = env.json("MODEL_PRICES", default={})
if SANDBOX:
    # What removes the rows that `manage.py conformance` leaves behind: the sandbox imports nothing of Parley.
    CONFORMANCE_CLEANUP = "operations.leftovers.forget"
    OPENAI_API_KEY = OPENAI_API_KEY or "sandbox"
    WHATSAPP_ACCESS_TOKEN = WHATSAPP_ACCESS_TOKEN or "sandbox-token"
    WHATSAPP_WABA_ID = WHATSAPP_WABA_ID or "1"

OUTGOING_PROXIES: dict[str, str] = {} if TESTING else outgoing_proxies()

# --- Knowledge ---------------------------------------------------------------------------------------------
# About how many tokens of knowledge go into each prompt as a whole. More is searched.
KNOWLEDGE_PROMPT_TOKENS = env.int("KNOWLEDGE_PROMPT_TOKENS", default=6000)
KNOWLEDGE_MAX_CHUNKS = env.int("KNOWLEDGE_MAX_CHUNKS", default=20_000)
# Of one sitemap.
KNOWLEDGE_MAX_PAGES = env.int("KNOWLEDGE_MAX_PAGES", default=1000)
KNOWLEDGE_LARGEST_MB = env.int("KNOWLEDGE_LARGEST_MB", default=20)

# --- Waits, in seconds. The fault tests only shorten them ------------------------------
TURN_QUIET_SECONDS = env.float("TURN_QUIET_SECONDS", default=3)
TURN_MAX_WAIT_SECONDS = env.float("TURN_MAX_WAIT_SECONDS", default=15)
TURN_LEASE_SECONDS = env.float("TURN_LEASE_SECONDS", default=90)
MODEL_CONNECT_SECONDS = env.float("MODEL_CONNECT_SECONDS", default=5)
MODEL_ATTEMPT_SECONDS = env.float("MODEL_ATTEMPT_SECONDS", default=30)
MODEL_TURN_SECONDS = env.float("MODEL_TURN_SECONDS", default=75)
WEBHOOK_SECONDS = env.float("WEBHOOK_SECONDS", default=10)
WEBHOOK_THREADS = env.int("WEBHOOK_THREADS", default=16)
WEB_DRAIN_SECONDS = env.float("WEB_DRAIN_SECONDS", default=0 if DEBUG or TESTING else 5)
WEB_REQUEST_SECONDS = env.float("WEB_REQUEST_SECONDS", default=20)
GRAPH_SECONDS = env.float("GRAPH_SECONDS", default=20)
MEDIA_SECONDS = env.float("MEDIA_SECONDS", default=120)
ATTACHMENT_WAIT_SECONDS = env.float("ATTACHMENT_WAIT_SECONDS", default=20)
SENDING_SECONDS = env.float("SENDING_SECONDS", default=60)
FAILED_JOBS_DAYS = env.int("FAILED_JOBS_DAYS", default=30)
AUDIT_RETENTION_DAYS = env.int("AUDIT_RETENTION_DAYS", default=365)
SWEEP_SECONDS = env.float("SWEEP_SECONDS", default=15)
# Multiplies every wait of the two retry tables.
RETRY_TIME_SCALE = env.float("RETRY_TIME_SCALE", default=1)
WORKER_CONCURRENCY = env.int("WORKER_CONCURRENCY", default=400)
WORKER_POLL_SECONDS = env.float("WORKER_POLL_SECONDS", default=0.5)
WORKER_STOP_SECONDS = env.float("WORKER_STOP_SECONDS", default=30)

# --- Django ------------------------------------------------------------------------------------------------
ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en"
FORMAT_MODULE_PATH = "config.formats"
# Meta's deliveries are up to 3 MB; the view answers 413 above that.
DATA_UPLOAD_MAX_MEMORY_SIZE = 4 * 1024 * 1024

INSTALLED_APPS = [
    "unfold",
    "unfold.contrib.filters",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "django.contrib.humanize",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "axes",
    *sign_in.APPS,
    "csp",
    "procrastinate.contrib.django",
    "audit",
    "tenants",
    "accounts",
    "webhooks",
    "notifications",
    "conversations",
    "leads",
    "knowledge",
    "assistant",
    "whatsapp",
    "api",
    "privacy",
    "operations",
    *(["sandbox"] if SANDBOX or TESTING else []),
]
MIDDLEWARE = [
    "conversations.desk.polling.PollingMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "config.web.headers.PageHeaders",
    "config.web.maintenance.Maintenance",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "conversations.desk.time_zone.TimeZoneMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "accounts.middleware.SignedInMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "axes.middleware.AxesMiddleware",
    "config.web.refusals.DatabaseRefusals",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "config" / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "accounts.context.of_the_admin",
            ]
        },
    }
]
AXES_ENABLED = not TESTING
vars().update(sign_in.SETTINGS)
SUPERUSERS_NEED_TWO_FACTORS = env.bool("SUPERUSERS_NEED_TWO_FACTORS", default=False)
# People may also sign in at an OpenID Connect provider.
OIDC_ISSUER = env.str("OIDC_ISSUER", default="").rstrip("/")
OIDC_ID = provider.provider_id(OIDC_ISSUER)
OIDC_NAME = env.str("OIDC_NAME", default="OpenID Connect")
OIDC_LINK_BY_EMAIL = env.bool("OIDC_LINK_BY_EMAIL", default=False)
SOCIALACCOUNT_PROVIDERS = provider.openid_connect(
    OIDC_ISSUER, env.str("OIDC_CLIENT_ID", default=""), env.str("OIDC_CLIENT_SECRET", default=""), OIDC_NAME
)

# --- Email: without a server, inviters pass links on themselves ------------------------------------------------------
EMAIL_URL = env.str("EMAIL_URL", default="")
DEFAULT_FROM_EMAIL = env.str("EMAIL_FROM", default="parley@localhost")
EMAIL_TIMEOUT = 20
PASSWORD_RESET_TIMEOUT = 3600
if EMAIL_URL:
    vars().update(env.email_url_config(EMAIL_URL))

# --- The database -------------------------------------------------------------------------------------------
_database = env.postgres_url("DATABASE_URL") or {
    "ENGINE": "config.embedded_postgres",
    "NAME": "postgres",
    "DATA_FOLDER": env.str("EMBEDDED_POSTGRES_FOLDER", default=str(BASE_DIR / ".data" / "postgres")),
}
_timeouts = {
    "lock_timeout": env.float("DATABASE_LOCK_SECONDS", default=5),
    "statement_timeout": env.float("DATABASE_STATEMENT_SECONDS", default=30),
    "idle_in_transaction_session_timeout": env.float("DATABASE_IDLE_SECONDS", default=60),
}
DATABASES = {"default": database(_database, _timeouts, env.str("TEST_DATABASE_NAME", default=None))}
POSTGRES_FOLDERS = program_folders(env.str("POSTGRES_FOLDER", default=""))
BACKUP_ENCRYPT_TO = env.list("BACKUP_ENCRYPT_TO", default=[])

# --- Message files: never served from a public URL, only through a view that checks permissions ------------------
MEDIA_ROOT = env.str("MEDIA_FOLDER", default=str(BASE_DIR / ".data" / "media"))
# WhatsApp's own limit.
_LARGEST_MB = {"image": 5, "audio": 16, "video": 16, "document": 100, "sticker": 1}
MEDIA_LARGEST_MB = {**_LARGEST_MB, **env.json("MEDIA_LARGEST_MB", default={})}

# --- Static files, the API, the admin's theme ----------------------------------------------------------------
MAINTENANCE_MESSAGE = env.str("MAINTENANCE_MESSAGE", default="")
STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STORAGES = {
    "default": media_storage(env.str("MEDIA_STORAGE_URL", default="")),
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG or TESTING
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}
WHITENOISE_USE_FINDERS = WHITENOISE_AUTOREFRESH = DEBUG or TESTING
WEBHOOKS_ALLOW_PRIVATE = env.bool("WEBHOOKS_ALLOW_PRIVATE", default=False)
# Items and KB per minute that the own app of one account may deliver.
WEBHOOK_APP_RATE_LIMIT = env.int("WEBHOOK_APP_RATE_LIMIT", default=60_000)
API_RATE_LIMIT = env.int("API_RATE_LIMIT", default=600)  # requests per minute and API key or admin token
API_FAILURE_LIMIT = env.int("API_FAILURE_LIMIT", default=60)  # invalid keys and tokens per minute and IP address
REST_FRAMEWORK = {
    # Each base class of views names its own; a forgotten one lets no one in.
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAdminUser"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "EXCEPTION_HANDLER": "api.exceptions.exception_handler",
    "DEFAULT_PARSER_CLASSES": ["api.parsers.SafeJSONParser"],
    "DEFAULT_SCHEMA_CLASS": "api.openapi.Schema",
    "DEFAULT_PAGINATION_CLASS": "api.pagination.IdCursorPagination",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
SPECTACULAR_SETTINGS = api_schema.SPECTACULAR_SETTINGS
UNFOLD = admin_theme.UNFOLD

# --- Security -----------------------------------------------------------------------------------------------
# Behind a proxy that terminates TLS. No SSL redirect: Meta doesn't follow redirects.
BEHIND_TLS_PROXY = env.bool("BEHIND_TLS_PROXY", default=False)
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if BEHIND_TLS_PROXY else None
# How many proxies add to X-Forwarded-For. Anything before their entries was written by the client.
PROXY_COUNT = env.int("PROXY_COUNT", default=int(BEHIND_TLS_PROXY))
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = not DEBUG and not TESTING
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL]
SECURE_HSTS_SECONDS = 0 if DEBUG or TESTING else 31_536_000
X_FRAME_OPTIONS = "DENY"
SILENCED_SYSTEM_CHECKS = [
    "security.W005",  # HSTS for all subdomains: that's not for us to decide
    "security.W008",  # no redirect to HTTPS: Meta doesn't follow redirects; the proxy can redirect browsers
    "security.W021",  # HSTS preload: as W005
]
CONTENT_SECURITY_POLICY = headers.CONTENT_SECURITY_POLICY

# --- Logs ---------------------------------------------------------------------------------------------------
METRICS_TOKEN = env.str("METRICS_TOKEN", default="")
LOGGING = logging_settings(env.str("LOG_LEVEL", default="INFO"), env.str("LOG_FORMAT", default="text"))
