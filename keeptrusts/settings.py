"""Every setting, from environment variables; `docs/settings.md` explains each variable.

Three environments, one meaning per variable: `embedded` (one machine, nothing to install),
`production` (PostgreSQL, Redis, https; refuses weak values) and `test`.
"""

import os
from pathlib import Path
from urllib.parse import urlsplit

from cryptography.fernet import Fernet
from csp.constants import NONE, SELF

from keeptrusts import logs
from keeptrusts.api_settings import REST_FRAMEWORK as REST_FRAMEWORK
from keeptrusts.api_settings import SPECTACULAR_SETTINGS as SPECTACULAR_SETTINGS
from keeptrusts.lib import secrets_file
from keeptrusts.lib.environment import Environment, stop

BASE_DIR = Path(__file__).resolve().parent.parent

GIVEN = {name: value for name, value in os.environ.items() if value}
env = Environment(GIVEN)
ENVIRONMENT = env.choice("KEEPTRUSTS_ENV", ("embedded", "production", "test"), default="embedded")
PRODUCTION = ENVIRONMENT == "production"
EMBEDDED = ENVIRONMENT == "embedded"
TESTING = ENVIRONMENT == "test"

DATA_DIR = Path(env.text("KEEPTRUSTS_DATA", default="data")).absolute()

# Secrets

if EMBEDDED:
    try:
        env = Environment(secrets_file.ensure(DATA_DIR) | GIVEN)
    except (OSError, ValueError) as error:
        stop("KEEPTRUSTS_DATA", f"cannot be used ({error})", "name a directory you may write to")
if TESTING:
    env = Environment(
        {
            "SECRET_KEY": "only-for-tests-" + "0123456789abcdefghijklmnopqrstuvwxyz" * 2,
            "KEEPTRUSTS_FIELD_KEY": "b25seS1mb3ItdGVzdHMtMDEyMzQ1Njc4OWFiY2RlZmc=",
        }
        | GIVEN
    )

RANDOM_KEY = 'make one with: python3 -c "import secrets; print(secrets.token_urlsafe(64))"'
SECRET_KEY = env.text("SECRET_KEY", remedy=RANDOM_KEY)
SECRET_KEY_FALLBACKS = env.words("SECRET_KEY_FALLBACKS", default="")
if PRODUCTION and (
    len(SECRET_KEY) < 50
    or len(set(SECRET_KEY)) < 10
    or SECRET_KEY.startswith(("django-insecure-", "only-for-tests-"))
):
    stop("SECRET_KEY", "is too weak for production", RANDOM_KEY)

FERNET_KEY = (
    "use 32 random bytes in URL-safe base64, made with: python3 -c "
    '"import base64, os; print(base64.urlsafe_b64encode(os.urandom(32)).decode())"'
)
FIELD_KEYS = env.words("KEEPTRUSTS_FIELD_KEY", remedy=FERNET_KEY)
"""Keys that encrypt stored secrets: the first encrypts, all decrypt."""
for field_key in FIELD_KEYS:
    try:
        Fernet(field_key)
    except ValueError:
        stop("KEEPTRUSTS_FIELD_KEY", "is not an encryption key", FERNET_KEY)
if PRODUCTION and "b25seS1mb3ItdGVzdHMtMDEyMzQ1Njc4OWFiY2RlZmc=" in FIELD_KEYS:
    stop("KEEPTRUSTS_FIELD_KEY", "is the key of the tests", FERNET_KEY)

# Where it is served

DEBUG = env.flag("DEBUG", default=False)
if PRODUCTION and DEBUG:
    stop("DEBUG", "is on in production", "unset it; it shows settings and data to strangers")

PUBLIC_URL = env.url(
    "KEEPTRUSTS_PUBLIC_URL",
    ("https",) if PRODUCTION else ("http", "https"),
    default=None if PRODUCTION else "http://127.0.0.1:8080",
    remedy="set the address people open, such as https://keeptrusts.example.com",
).rstrip("/")
PUBLIC_HOST = urlsplit(PUBLIC_URL).hostname or ""
ALLOWED_HOSTS = env.words(
    "ALLOWED_HOSTS",
    default=None if PRODUCTION else f"localhost,127.0.0.1,[::1],{PUBLIC_HOST}",
    remedy="name the host names that may be asked for, separated by commas",
)
if PRODUCTION and "*" in ALLOWED_HOSTS:
    stop("ALLOWED_HOSTS", "allows every host in production", "name the hosts, without *")
PROXY_COUNT = env.integer("KEEPTRUSTS_PROXY_COUNT", default=0, least=0, most=9)
if PROXY_COUNT:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

ROOT_URLCONF = "keeptrusts.urls"
ASGI_APPLICATION = "keeptrusts.asgi.application"
WSGI_APPLICATION = "keeptrusts.wsgi.application"
APPEND_SLASH = False

INSTALLED_APPS = [
    "keeptrusts.admin_config.KeeptrustsAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_filters",
    "django_htmx",
    "django_celery_beat",
    "axes",
    "csp",
    "import_export",
    "billing.apps.PayPalIpnConfig",
    "keeptrusts",
    "wallets",
    "billing.apps.BillingConfig",
    "gateway",
    "alerts",
]

MIDDLEWARE = [
    "keeptrusts.request_id.RequestIdMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    # Last: it turns a refused login into its answer.
    "axes.middleware.AxesMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# Database

DATABASE = env.database(
    "DATABASE_URL",
    default=None if PRODUCTION else f"sqlite:///{DATA_DIR / 'keeptrusts.sqlite3'}",
)
POSTGRESQL = DATABASE["ENGINE"] == "django.db.backends.postgresql"
POOL_SIZE = env.integer("KEEPTRUSTS_DB_POOL_SIZE", default=0 if TESTING else 10, least=0, most=1000)
if PRODUCTION and not POSTGRESQL:
    stop("DATABASE_URL", "is not PostgreSQL", "use postgres://user:password@host:5432/name")
if POSTGRESQL and POOL_SIZE:
    DATABASE["OPTIONS"]["pool"] = {"min_size": 1, "max_size": POOL_SIZE, "timeout": 10}
if POSTGRESQL and env.flag("KEEPTRUSTS_DB_PREPARE", default=True):
    # The ledger's statements are parsed once per connection. They are planned anew each time: a
    # plan from when a table was empty would go on reading the whole table when it is large.
    given = DATABASE["OPTIONS"].get("options", "")
    DATABASE["OPTIONS"] |= {
        "prepare_threshold": 5,
        "options": f"{given} -c plan_cache_mode=force_custom_plan".strip(),
    }
if not POSTGRESQL:
    # IMMEDIATE takes the write lock first: a transaction that reads and then writes never fails
    # half way. FULL: a commit survives a power cut.
    DATABASE["OPTIONS"] |= {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": (
            "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; "
            "PRAGMA mmap_size=134217728; PRAGMA cache_size=-16000;"
        ),
    }
    # Never in memory: threads would share one connection's cache and lose updates.
    DATABASE["TEST"] = {"NAME": str(Path(DATABASE["NAME"]).with_suffix(".test.sqlite3"))}
DATABASES = {"default": DATABASE}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# Cache and jobs

REDIS_URL = env.url(
    "REDIS_URL",
    ("redis", "rediss", "unix"),
    default=None if PRODUCTION else "",
    remedy="use redis://host:6379/0",
)
if REDIS_URL:
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": REDIS_URL,
            "KEY_PREFIX": "keeptrusts",
        },
        # Answers of models: bytes as they are, and no request waits for a Redis that is away.
        "responses": {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": REDIS_URL,
            "KEY_PREFIX": "keeptrusts",
            "OPTIONS": {
                "serializer": "keeptrusts.lib.plain_bytes.PlainBytes",
                "socket_timeout": 0.3,
                "socket_connect_timeout": 0.3,
                "retry": Retry(NoBackoff(), 1),
            },
        },
    }
else:
    CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.filebased.FileBasedCache",
            "LOCATION": str(DATA_DIR / "cache"),
        },
        "responses": {
            "BACKEND": "django.core.cache.backends.filebased.FileBasedCache",
            "LOCATION": str(DATA_DIR / "responses"),
            "OPTIONS": {"MAX_ENTRIES": 2_000},
        },
    }

BROKER_DIR = DATA_DIR / "broker"
"""The queue of the embedded broker; the worker's start makes it."""
CELERY_BROKER_URL = REDIS_URL or "files://"
CELERY_BROKER_TRANSPORT_OPTIONS = (
    {"visibility_timeout": 3600}
    if REDIS_URL
    else {
        "data_folder_in": str(BROKER_DIR / "queue"),
        "data_folder_out": str(BROKER_DIR / "queue"),
        "control_folder": str(BROKER_DIR / "control"),
    }
)
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BEAT_SCHEDULER = "django_celery_beat.schedulers:DatabaseScheduler"
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TIMEZONE = "UTC"

# Scheduled work

TICKET_HOURS = env.integer("KEEPTRUSTS_TICKET_HOURS", default=24, least=1, most=8760)
"""Open cost tickets that nobody waits for are closed after so long without a new request."""

# Gateway

GATEWAY_MAX_REQUESTS = env.integer(
    "KEEPTRUSTS_GATEWAY_MAX_REQUESTS", default=2_000, least=1, most=100_000
)
"""Requests one process serves at a time; more are refused with 503."""
GATEWAY_MAX_REQUESTS_PER_KEY = env.integer(
    "KEEPTRUSTS_GATEWAY_MAX_REQUESTS_PER_KEY", default=1_000, least=1, most=100_000
)
"""Requests of one person or consumer group that one process serves at a time; more are refused with
429.
"""
GATEWAY_BODY_MEGABYTES = env.integer(
    "KEEPTRUSTS_GATEWAY_BODY_MEGABYTES", default=512, least=40, most=65_536
)
"""MiB of request bodies that one process holds at a time; a quarter of it, for one person or group,
has room for the longest body.
"""

# People

AUTH_USER_MODEL = "wallets.User"
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 12},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
if TESTING:
    PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
LOGIN_URL = "admin:login"
LOGIN_REDIRECT_URL = "admin:index"

AXES_FAILURE_LIMIT = 10
AXES_COOLOFF_TIME = 0.25
"""Hours a locked-out pair of user name and address waits."""
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_ON_SUCCESS = True
AXES_CLIENT_IP_CALLABLE = "keeptrusts.lib.client_address.client_address"
AXES_VERBOSE = False

# Browser security

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
    }
}
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
SESSION_COOKIE_AGE = 12 * 60 * 60
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL] if PUBLIC_URL.startswith("https://") else []
if PRODUCTION:
    SESSION_COOKIE_SECURE = True
    CSRF_COOKIE_SECURE = True
    SECURE_HSTS_SECONDS = 365 * 24 * 60 * 60
    SECURE_HSTS_INCLUDE_SUBDOMAINS = True
    SECURE_HSTS_PRELOAD = True
    SECURE_SSL_REDIRECT = True
    # Load balancers ask for health over plain http.
    SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$"]

# Static files

STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
# Production serves what `collectstatic` gathered; the others serve the packages' files in place.
STATIC_DIR = env.text("KEEPTRUSTS_STATIC", default=str(BASE_DIR / "staticfiles"))
STATIC_ROOT = STATIC_DIR if PRODUCTION else None
WHITENOISE_USE_FINDERS = not PRODUCTION
WHITENOISE_AUTOREFRESH = TESTING
"""Looks files up when asked, so that not every test client lists them all."""
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": (
            "whitenoise.storage.CompressedManifestStaticFilesStorage"
            if PRODUCTION
            else "django.contrib.staticfiles.storage.StaticFilesStorage"
        )
    },
}
MEDIA_ROOT = str(DATA_DIR / "media")

# Payments

PAYPAL_ENVIRONMENT = env.choice(
    "PAYPAL_ENVIRONMENT", ("off", "simulator", "sandbox", "live"), default="off"
)
if PRODUCTION and PAYPAL_ENVIRONMENT == "simulator":
    stop("PAYPAL_ENVIRONMENT", "is simulator in production", "use off, sandbox or live")
PAYPAL_TEST = PAYPAL_ENVIRONMENT != "live"

# Language, time, logs

LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = False

LOGGING = logs.configuration(
    level=env.choice(
        "LOG_LEVEL", ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"), default="INFO"
    ),
    style=env.choice(
        "LOG_FORMAT", ("console", "json"), default="json" if PRODUCTION else "console"
    ),
)
