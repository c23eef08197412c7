from __future__ import annotations

from django.apps import AppConfig

from annotate import checks as checks  # registers them


class AnnotateConfig(AppConfig):
    name = "annotate"
    verbose_name = "Winnow"
