"""Django's settings, all of them from the environment; the README's table names each variable."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import dj_database_url
from csp.constants import NONE, SELF
from redis.backoff import NoBackoff
from redis.retry import Retry

from annotate import environment, queues
from annotate.environment import env, env_bool, env_choice, env_float, env_int, env_list, env_networks

BASE_DIR = Path(__file__).resolve().parent.parent
HOME = Path(env("WINNOW_HOME", str(BASE_DIR / "var"))).resolve()

SECRET_KEY = environment.secret_key(HOME)
DEBUG = env_bool("DEBUG")
ALLOWED_HOSTS = env_list("ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]")
CSRF_TRUSTED_ORIGINS = env_list("CSRF_TRUSTED_ORIGINS")
HTTPS = env_bool("WINNOW_HTTPS")
# Where people reach the site. Links in mails begin with it, never with what a request calls the host.
SITE_URL = env("WINNOW_URL").rstrip("/")

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.forms",  # whose templates ours may replace
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django_htmx",
    "csp",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "axes",
    "annotate",
]

MIDDLEWARE = [
    "annotate.views.health.answer_probes",
    "annotate.views.metrics.measure_requests",
    "annotate.views.middleware.know_request",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "annotate.views.middleware.KeepNothing",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",  # the browser's language; KnowPerson knows better
    "django.middleware.common.CommonMiddleware",
    "annotate.views.middleware.LimitBodies",  # before the next one, which reads bodies
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "annotate.views.middleware.KnowPerson",
    "annotate.views.middleware.LoginFirst",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "axes.middleware.AxesMiddleware",  # last, as it replaces the answer to one guess too many
]

ROOT_URLCONF = "annotate.urls"
WSGI_APPLICATION = "annotate.wsgi.application"

FORM_RENDERER = "django.forms.renderers.TemplatesSetting"
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
    }
]

# Storage. SQLite takes its write lock at BEGIN: a transaction that read first and then upgrades could fail.
SQLITE_OPTIONS = {
    "transaction_mode": "IMMEDIATE",
    "timeout": 20,
    # With secure_delete what is deleted is overwritten in the file.
    "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON; "
    # 16 MB a connection, not 2: else the inner pages of indexes of a million rows are read for each look.
    "PRAGMA secure_delete=ON; PRAGMA cache_size=-16000;",
}
# PostgreSQL compiles what it takes for a long query, which takes longer than any query of this site runs. And
# it takes a page out of order for four times as dear as the next one, which no disk of today is: it looked
# through a million texts for a word that its index finds in a quarter of the time.
POSTGRESQL_OPTIONS = "-c jit=off -c random_page_cost=1.1"


def _database() -> dict[str, Any]:
    config: dict[str, Any] = {**dj_database_url.parse(environment.database_url(HOME))}
    if config["ENGINE"] == "django.db.backends.sqlite3":
        config["OPTIONS"] = SQLITE_OPTIONS
    else:
        told = config.get("OPTIONS", {})
        options = f"{POSTGRESQL_OPTIONS} {told.get('options', '')}".strip()  # the last one told counts
        config["OPTIONS"] = {**told, "options": options}
    config["CONN_MAX_AGE"] = 600
    config["CONN_HEALTH_CHECKS"] = True
    return config


DATABASES = {"default": _database()}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_URL = environment.redis_url(HOME)
# A request waits for Redis at most this long, once in a few seconds: see annotate/outages/breaker.py.
REDIS_SECONDS = 0.5
CACHES = {
    "default": {
        "BACKEND": "annotate.outages.cache.ForgettingCache",
        "LOCATION": REDIS_URL,
        "VERSION": 2,  # the keys of the first version hold pickles, which nothing reads any more
        "OPTIONS": {
            "serializer": "annotate.outages.cache.JsonSerializer",
            "socket_connect_timeout": REDIS_SECONDS,
            "socket_timeout": REDIS_SECONDS,
            # Once and at once: a connection of before a restart of Redis fails, the next one works.
            "retry": Retry(NoBackoff(), 1),
        },
    }
}

BUNDLE_ROOT = HOME / "bundles"
ENCODER_ROOT = HOME / "encoders"
SCRATCH_ROOT = HOME / "scratch"  # where a run keeps the state from which its successor goes on
TEMPORARY_ROOT = HOME / "tmp"  # of every process; what a killed one leaves there is swept
WORKER_ROOT = HOME / "run" / "workers"  # a file for each process that works on rows
MEDIA_ROOT = HOME / "uploads"
STATIC_ROOT = HOME / "static"
STATIC_URL = "static/"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}

# Imports: what one file may hold.
IMPORT_MAX_BYTES = env_int("WINNOW_IMPORT_MAX_MB", 2048) * 1024 * 1024
IMPORT_MEMORY_BYTES = env_int("WINNOW_IMPORT_MEMORY_MB", 512) * 1024 * 1024
IMPORT_MAX_CELL = env_int("WINNOW_IMPORT_MAX_CELL", 1_000_000)
IMPORT_MAX_COLUMNS = env_int("WINNOW_IMPORT_MAX_COLUMNS", 500)
# What one person may add in a day.
PROJECTS_PER_DAY = env_int("WINNOW_PROJECTS_PER_DAY", 20)
UPLOADS_PER_DAY = env_int("WINNOW_UPLOADS_PER_DAY", 200)
DATA_UPLOAD_MAX_MEMORY_SIZE = 20 * 1024 * 1024  # of a request to the API; see annotate/views/middleware.py
DATA_UPLOAD_MAX_NUMBER_FIELDS = 10_000  # a thousand labels with three fields each fit
FILE_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024
FILE_UPLOAD_PERMISSIONS, FILE_UPLOAD_DIRECTORY_PERMISSIONS = 0o600, 0o700

# Learning.
ENCODER = env("WINNOW_ENCODER", "sentence-transformers/all-MiniLM-L6-v2")
CHECKPOINTS = env_list("WINNOW_CHECKPOINTS")
TUNE_ENCODERS = env_bool("WINNOW_TUNE_ENCODERS", default=True)
RUN_LEASE_SECONDS = env_int("WINNOW_RUN_LEASE_SECONDS", 25)
RUN_HARD_LIMIT_SECONDS = env_int("WINNOW_RUN_HARD_LIMIT_SECONDS", 3600)
STAGE_LIMIT_FACTOR = env_float("WINNOW_STAGE_LIMIT_FACTOR", 1.0)

# Suggestions by an LLM before the first model; off without an address. Prices are of a million tokens.
LLM_URL = env("WINNOW_LLM_URL")
LLM_MODEL = env("WINNOW_LLM_MODEL")
LLM_API_KEY = env("WINNOW_LLM_API_KEY")
LLM_RESPONSE_FORMAT = env_bool("WINNOW_LLM_RESPONSE_FORMAT", default=True)
LLM_CONCURRENCY = env_int("WINNOW_LLM_CONCURRENCY", 4)
LLM_INPUT_PRICE = env_float("WINNOW_LLM_INPUT_PRICE", 0.0)
LLM_OUTPUT_PRICE = env_float("WINNOW_LLM_OUTPUT_PRICE", 0.0)

# People and sessions.
AUTH_USER_MODEL = "annotate.User"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "annotate.services.people.passwords.EndsWhatItOpened"},
]
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
    "annotate.services.logins.second_factors.SecondFactorBackend",
    "annotate.services.logins.passkeys.PasskeyBackend",
]
LOGIN_URL = "login"
CSRF_FAILURE_VIEW = "annotate.views.people.entry.csrf_failure"
LOGIN_REDIRECT_URL = "projects"
LOGOUT_REDIRECT_URL = "login"
# A session in the database is ended from the server. NB: a copy in the cache would come back to life where
# it was ended while Redis was away.
SESSION_ENGINE = "django.contrib.sessions.backends.db"
SESSION_SERIALIZER = "django.contrib.sessions.serializers.JSONSerializer"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
# With this prefix a browser takes a cookie from this very host over HTTPS only, not from its neighbours.
COOKIE_PREFIX = "__Host-" if HTTPS else ""
SESSION_COOKIE_NAME = f"{COOKIE_PREFIX}sessionid"
CSRF_COOKIE_NAME = f"{COOKIE_PREFIX}csrftoken"  # outbox.js reads it
SECURE_SSL_REDIRECT = HTTPS
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
BEHIND_PROXY = env_bool("WINNOW_BEHIND_PROXY")
PROXY_ADDRESS_HEADER = env("WINNOW_PROXY_ADDRESS_HEADER", "X-Forwarded-For")
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if BEHIND_PROXY else None
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
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

# E-mail; none is sent without a server. A worker hands it over: see annotate/services/mail/.
_mail = environment.mail_server(env("EMAIL_URL"))
EMAIL_HOST, EMAIL_PORT = _mail.host, _mail.port
EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = _mail.user, _mail.password
EMAIL_USE_TLS, EMAIL_USE_SSL = _mail.starts_tls, _mail.is_tls
EMAIL_TIMEOUT = 10  # seconds in which a server has to answer each step
DEFAULT_FROM_EMAIL = SERVER_EMAIL = env("EMAIL_FROM")
MAILS_PER_DAY = env_int("WINNOW_MAILS_PER_DAY", 200)

# Networks beside the public internet that webhooks may be sent to, as those of the owner's own programs.
WEBHOOK_NETWORKS = env_networks("WINNOW_WEBHOOK_NETWORKS")

SECOND_FACTOR_REQUIRED = env_bool("WINNOW_SECOND_FACTOR_REQUIRED")

# Another site that tells who somebody is, by OpenID Connect; off without an issuer.
OIDC_ISSUER = env("WINNOW_OIDC_ISSUER")
OIDC_CLIENT_ID = env("WINNOW_OIDC_CLIENT_ID")
OIDC_CLIENT_SECRET = env("WINNOW_OIDC_CLIENT_SECRET")
OIDC_NAME = env("WINNOW_OIDC_NAME")
OIDC_DOMAINS = env_list("WINNOW_OIDC_DOMAINS")
OIDC_SIGN_UP = env_bool("WINNOW_OIDC_SIGN_UP")

# Wrong passwords, counted in the database: see annotate/services/people/guessing.py for the three counts.
AXES_FAILURE_LIMIT = env_int("WINNOW_LOGIN_FAILURES", 10)
AXES_COOLOFF_TIME = timedelta(minutes=env_int("WINNOW_LOGIN_LOCK_MINUTES", 15))
AXES_HANDLER = "annotate.services.people.guessing.GuessLimit"
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]  # what a right password forgives
AXES_LOCKOUT_CALLABLE = "annotate.views.people.entry.locked_out"
AXES_CLIENT_IP_CALLABLE = "annotate.services.people.addresses.client_address"
AXES_RESET_ON_SUCCESS = True
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False  # else one who goes on guessing keeps the owner out
AXES_DISABLE_ACCESS_LOG = True  # the security log has it
AXES_VERBOSE = False
# What of a refused form is not kept with the guess. NB: a new password stands beside a wrong old one.
AXES_SENSITIVE_PARAMETERS = ["username", "ip_address", "old_password", "new_password1", "new_password2"]
AXES_SENSITIVE_PARAMETERS += ["code", "credential", "unsent-value"]

# Celery: the row in the database is the job, a message only wakes a worker.
CELERY_BROKER_URL = environment.celery_broker_url(REDIS_URL)
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = CELERY_RESULT_ACCEPT_CONTENT = ["json"]
CELERY_RESULT_SERIALIZER = "json"
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
# Work that takes too long is ended before, with a sentence on its row; this is for what has no row.
CELERY_TASK_TIME_LIMIT = RUN_HARD_LIMIT_SECONDS + 120
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": RUN_HARD_LIMIT_SECONDS + 600,
    # NB: without these two a killed worker's message comes back only after 100 seconds (kombu 5.7).
    "unacked_restore_interval": 2,
    "unacked_restore_throttle": 1,
    # Whoever sends a message gives up at once where Redis is away: the tick sends it again.
    "max_retries": 0,
    "socket_connect_timeout": 1,
    "socket_timeout": 2,  # of a server that is there but stands still
}
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None  # a worker waits for Redis as long as it takes
CELERY_BROKER_CHANNEL_ERROR_RETRY = True  # also where it answers and refuses to write, as on a full disk
CELERY_TASK_DEFAULT_QUEUE = queues.INTERACTIVE
CELERY_BEAT_SCHEDULER = "annotate.outages.schedule:MemoryScheduler"
# A tick that waited in the queue, or cannot be sent, may be dropped, because the next one is behind it.
CELERY_BEAT_SCHEDULE = {
    "tick": {"task": "annotate.tasks.tick", "schedule": 2.0, "options": {"expires": 30.0, "retry": False}},
}

# The API. Predictions are counted by texts, everything else by requests; both per token.
COUNTS_WRITTEN_AFTER: float | None = 2.0  # seconds, of what was predicted over the API; None: not by itself
API_REQUESTS_PER_MINUTE = env_int("WINNOW_API_REQUESTS_PER_MINUTE", 1200)
API_TEXTS_PER_MINUTE = env_int("WINNOW_API_TEXTS_PER_MINUTE", 120_000)
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["annotate.api.base.auth.TokenAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["annotate.api.base.scopes.HasScope"],
    "DEFAULT_THROTTLE_CLASSES": ["annotate.api.base.throttles.RequestThrottle"],
    "DEFAULT_PARSER_CLASSES": ["annotate.api.base.transport.LimitedJSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["annotate.api.base.transport.LastingRenderer"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "annotate.api.base.transport.FirstRenderer",
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "annotate.api.base.problems.handler",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Winnow",
    "DESCRIPTION": "Documents, annotations, models and predictions of the projects of a token's user.",
    "VERSION": "1",
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "SERVE_INCLUDE_SCHEMA": False,
    "PREPROCESSING_HOOKS": ["annotate.api.base.schema.without_former_addresses"],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
}

# Who reads /metrics: whoever brings this token, and requests from these networks; nobody without both.
METRICS_TOKEN = env("WINNOW_METRICS_TOKEN")
METRICS_NETWORKS = env_networks("WINNOW_METRICS_NETWORKS")
if METRICS_TOKEN or METRICS_NETWORKS:
    os.environ.setdefault("PROMETHEUS_MULTIPROC_DIR", str(HOME / "run" / "metrics"))

LANGUAGE_CODE = "en"
# Each by its own name, as whoever looks for it reads it. CONTRIBUTING.md tells how one is added.
LANGUAGES = [("en", "English"), ("ru", "Русский")]
LOCALE_PATHS = [BASE_DIR / "annotate" / "locale"]
USE_I18N = True
USE_TZ = True
TIME_ZONE = env("TIME_ZONE", "UTC")

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {"()": "annotate.logs.lines.ReadableLine"},
        "json": {"()": "annotate.logs.lines.json_line"},
    },
    "handlers": {
        "console": {
            "class": "annotate.outages.log.FaultHandler",
            "formatter": env_choice("WINNOW_LOG_FORMAT", "line", {"line", "json"}),
        }
    },
    "root": {"handlers": ["console"], "level": env("LOG_LEVEL", "INFO")},
    "loggers": {
        "winnow.security": {"level": "INFO"},  # whatever LOG_LEVEL says
        "axes": {"level": "ERROR"},  # what it tells is in the security log, in a form that nobody can forge
    },
}

# Reports to programs elsewhere; off without an address. See annotate/telemetry/ for what they are told.
SENTRY_DSN = env("SENTRY_DSN")
OTLP_ENDPOINT = env("OTEL_EXPORTER_OTLP_ENDPOINT")
OTLP_SERVICE_NAME = env("OTEL_SERVICE_NAME", "winnow")
