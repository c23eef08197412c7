from __future__ import annotations

import logging
import os
from pathlib import Path

from django.conf import settings
from django.core.wsgi import get_wsgi_application

from annotate.environment import keep_files_private, keep_temporary_files_in, open_standard_streams

open_standard_streams()
keep_files_private()
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "annotate.settings")

application = get_wsgi_application()

try:
    keep_temporary_files_in(Path(settings.TEMPORARY_ROOT))
except OSError as error:  # people can go on to label without a file, and /readyz tells
    logging.getLogger("annotate").warning(
        "Uploads go through the system's folder for temporary files, because %s cannot be made: %s.",
        settings.TEMPORARY_ROOT,
        error.strerror,
    )
