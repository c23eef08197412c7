"""The web process answers predictions without the training libraries; only a fresh process can tell."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.annotate.made.bundles import write_bundle
from tests.test_architecture import HEAVY
from training.tasks import SINGLE
from training.types import LabelSchema, LabelSpec

SCRIPT = """
import json, sys
from io import BytesIO
from pathlib import Path
from annotate.wsgi import application
from django.core.management import call_command
call_command("migrate", verbosity=0)
from django.utils import timezone
from annotate.models import Label, Membership, ModelVersion, Project, User
from annotate.services.people import api_keys
user = User.objects.create_user("lena")
project = Project.objects.create(slug="colours", name="Colours")
Membership.objects.create(project=project, user=user, role="annotator")
ids = [Label.objects.create(project=project, name=name).pk for name in ("red", "green")]
ModelVersion.objects.create(project=project, number=1, family="tfidf", bundle=sys.argv[1], stage="published",
    label_ids=ids, labelled=2, holdout_documents=0, published_at=timezone.now())
_key, secret = api_keys.issue(user=user, name="test", scopes=["predict"])
body = json.dumps({"text": "a green tree"}).encode()
environ = {"REQUEST_METHOD": "POST", "PATH_INFO": "/api/v1/projects/colours/predict",
    "SERVER_NAME": "localhost",
    "SERVER_PORT": "80", "CONTENT_TYPE": "application/json", "CONTENT_LENGTH": str(len(body)),
    "HTTP_AUTHORIZATION": f"Bearer {secret}", "wsgi.input": BytesIO(body), "wsgi.url_scheme": "http",
    "wsgi.errors": sys.stderr}
answer = json.loads(b"".join(application(environ, lambda *_: None)))
print(json.dumps({"answer": answer, "modules": sorted(sys.modules)}))
"""


def test_a_prediction_loads_no_training_library(tmp_path: Path) -> None:
    labels = tuple(LabelSpec(name, name) for name in ("red", "green"))
    bundle = write_bundle(tmp_path / "bundle", LabelSchema(SINGLE, labels))
    settings = {"DJANGO_SETTINGS_MODULE": "tests.settings", "WINNOW_HOME": str(tmp_path / "home")}
    settings["DATABASE_URL"] = "sqlite://:memory:"
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(bundle)],
        env={**os.environ, **settings},
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["answer"]["predictions"][0]["labels"] == ["green"]
    assert not HEAVY & {name.partition(".")[0] for name in told["modules"]}
