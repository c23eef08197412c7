"""How long one prediction takes over HTTP: a bundle behind gunicorn, asked for one text at a time.

    python bench/predict.py --bundle DIR --texts FILE --redis redis://127.0.0.1:6379 --json OUT
    python bench/predict.py --url http://HOST:PORT --project SLUG --token TOKEN --texts FILE --json OUT

DIR is what `python -m training train --out DIR` wrote; FILE has one text a line.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
SET_UP = """
import sys
import django
django.setup()
from django.conf import settings
from django.core.management import call_command
from django.utils import timezone
call_command("migrate", verbosity=0)
from annotate.models import Label, Membership, ModelVersion, Project, User
from annotate.services.people import api_keys
from training.bundles.bundle import read_manifest
manifest = read_manifest(settings.BUNDLE_ROOT / "bench")
user = User.objects.create_user("bench")
project = Project.objects.create(slug="bench", name="Bench", task=manifest.schema.task.key)
Membership.objects.create(project=project, user=user)
ids = [Label.objects.create(project=project, name=label.name).pk for label in manifest.schema.labels]
ModelVersion.objects.create(project=project, number=1, family=manifest.family, bundle="bench",
    stage="published",
    label_ids=ids, labelled=1, holdout_documents=0, published_at=timezone.now())
print(api_keys.issue(user=user, name="bench", scopes=["predict"])[1])
"""


def main() -> None:
    options = _arguments()
    texts = [line for line in options.texts.read_text("utf-8").splitlines() if line.strip()]
    if options.url:
        report = measure(options.url, options.project, options.token, texts, options.requests)
    else:
        with own_site(options) as (url, token):
            report = measure(url, "bench", token, texts, options.requests)
    print(json.dumps(report, indent=1))
    if options.json:
        options.json.write_text(json.dumps(report, indent=1))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--bundle", type=Path)
    parser.add_argument("--encoders", type=Path, help="the folder that holds encoders by fingerprint")
    parser.add_argument("--redis", default="redis://127.0.0.1:6379")
    parser.add_argument("--url")
    parser.add_argument("--project", default="bench")
    parser.add_argument("--token", default="")
    parser.add_argument("--texts", type=Path, required=True)
    parser.add_argument("--requests", type=int, default=1000)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if bool(options.url) == bool(options.bundle):
        parser.error("give either --bundle or --url")
    return options


@contextmanager
def own_site(options: argparse.Namespace) -> Iterator[tuple[str, str]]:
    """Serve the bundle from a site in a temporary folder, and yield its address and a token."""
    with tempfile.TemporaryDirectory(prefix="winnow-bench-") as home:
        shutil.copytree(options.bundle, Path(home) / "bundles" / "bench")
        if options.encoders:
            (Path(home) / "encoders").symlink_to(options.encoders.resolve())
        environment = {
            **os.environ,
            "WINNOW_HOME": home,
            "REDIS_URL": options.redis,
            "DJANGO_SETTINGS_MODULE": "annotate.settings",
            "DATABASE_URL": f"sqlite:///{home}/winnow.sqlite3",
        }
        token = _run([sys.executable, "-c", SET_UP], environment)
        port = _free_port()
        server = [
            "-m",
            "gunicorn",
            "annotate.wsgi",
            "-b",
            f"127.0.0.1:{port}",
            "-k",
            "gthread",
            "--threads",
            "4",
        ]
        process = subprocess.Popen(
            [sys.executable, *server, "--log-level", "error"], env=environment, cwd=ROOT
        )
        try:
            _wait(port)
            yield f"http://127.0.0.1:{port}", token
        finally:
            process.terminate()
            process.wait()


def _run(command: list[str], environment: dict[str, str]) -> str:
    done = subprocess.run(command, env=environment, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout.strip()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait(port: int) -> None:
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.1)
    raise SystemExit("The site did not start within 20 seconds.")


def measure(url: str, project: str, token: str, texts: list[str], requests: int) -> dict[str, float | str]:
    """Ask for one text after the other over one kept connection; the first twenty only warm up."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    taken, family = [], ""
    for i in range(requests + 20):
        body = json.dumps({"text": texts[i % len(texts)]})
        begun = time.perf_counter()
        connection.request("POST", f"/api/v1/projects/{project}/predict", body, headers)
        response = connection.getresponse()
        answer = json.loads(response.read())
        taken.append((time.perf_counter() - begun) * 1000)
        if response.status != 200:
            raise SystemExit(f"The site answered {response.status}: {answer['detail']}")
        family = answer["family"]
    p50, p95, p99 = (round(float(value), 2) for value in np.percentile(taken[20:], [50, 95, 99]))
    return {"family": family, "requests": requests, "p50_ms": p50, "p95_ms": p95, "p99_ms": p99}


if __name__ == "__main__":
    main()
