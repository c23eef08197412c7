"""The site's settings with what makes tests independent of a running broker and of each other."""

from __future__ import annotations

import os
import tempfile

os.environ.setdefault("WINNOW_HOME", tempfile.mkdtemp(prefix="winnow-tests-"))
os.environ.setdefault("SECRET_KEY", "only for tests")
# Data of tests is small: threads that wait for each other take minutes longer on a busy machine.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from annotate.settings import *  # noqa: F403

CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
COUNTS_WRITTEN_AFTER = None  # a thread of its own would write behind the end of a test
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
