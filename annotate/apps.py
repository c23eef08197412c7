from __future__ import annotations

from django.apps import AppConfig

from annotate import checks as checks  # importing it registers the system checks
from annotate import telemetry
from annotate.services.people import login_events as login_events  # importing it connects the signals


class AnnotateConfig(AppConfig):
    name = "annotate"
    verbose_name = "Winnow"

    def ready(self) -> None:
        # NB: likewise, but it needs models, which can be imported only now.
        from annotate.services.people import sessions as sessions

        telemetry.start()
