"""With HTTPS, cookies are of this very host only."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
ASK = """
import json, django
from django.conf import settings
django.setup()
names = ["SESSION_COOKIE_NAME", "CSRF_COOKIE_NAME", "SESSION_COOKIE_SECURE", "CSRF_COOKIE_SECURE"]
names += ["SESSION_COOKIE_PATH", "CSRF_COOKIE_PATH", "SESSION_COOKIE_DOMAIN", "CSRF_COOKIE_DOMAIN"]
print(json.dumps([getattr(settings, name) for name in names]))
"""


@pytest.mark.parametrize(("https", "prefix"), [("1", "__Host-"), ("0", "")])
def test_the_prefix_comes_with_all_that_it_demands(https: str, prefix: str, tmp_path: Path) -> None:
    environ = {**os.environ, "WINNOW_HTTPS": https, "WINNOW_HOME": str(tmp_path)}
    environ["DJANGO_SETTINGS_MODULE"] = "annotate.settings"
    told = subprocess.run([sys.executable, "-c", ASK], cwd=ROOT, env=environ, capture_output=True, check=True)
    secure = https == "1"
    names = [f"{prefix}sessionid", f"{prefix}csrftoken"]
    assert json.loads(told.stdout) == [*names, secure, secure, "/", "/", None, None]
