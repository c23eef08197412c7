from __future__ import annotations

import os

from django.core.wsgi import get_wsgi_application

from annotate.environment import keep_files_private, open_standard_streams

open_standard_streams()
keep_files_private()
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "annotate.settings")

application = get_wsgi_application()
