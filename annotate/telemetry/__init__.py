"""Reports to programs elsewhere: errors to Sentry, traces by OpenTelemetry.

Each is off until the environment has its address, and its library is loaded only then. What leaves is named
one by one: places in the code, addresses by their pattern, how long things took. No text of a person leaves,
nor anything that may hold one: no body, query, header or variable, and no message of an error.
"""

from __future__ import annotations

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured


def start() -> None:
    """Begin to report to what the environment names."""
    if settings.SENTRY_DSN:
        try:
            from annotate.telemetry import errors
        except ImportError as error:
            raise ImproperlyConfigured(_missing("SENTRY_DSN", "sentry")) from error
        errors.start(settings.SENTRY_DSN)
    if settings.OTLP_ENDPOINT:
        try:
            from annotate.telemetry import traces
        except ImportError as error:
            raise ImproperlyConfigured(_missing("OTEL_EXPORTER_OTLP_ENDPOINT", "opentelemetry")) from error
        traces.start(settings.OTLP_SERVICE_NAME)


def _missing(variable: str, extra: str) -> str:
    return (
        f"{variable} is set, but the library that reports is not installed. "
        f"Run pip install '.[{extra}]', or unset the variable."
    )
