from __future__ import annotations

from django.apps import AppConfig

from annotate import checks as checks  # importing it registers the system checks


class AnnotateConfig(AppConfig):
    name = "annotate"
    verbose_name = "Winnow"
