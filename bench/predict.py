"""How long one prediction takes over HTTP: a bundle behind gunicorn, asked for one text at a time.

    python bench/predict.py --bundle DIR --texts FILE --redis redis://127.0.0.1:6379 --json OUT
    python bench/predict.py --bundle DIR --texts FILE --cost-of-counting --json OUT
    python bench/predict.py --url http://HOST:PORT --project SLUG --token TOKEN --texts FILE --json OUT

DIR is what `python -m training train --out DIR` wrote; FILE has one text a line. With `--cost-of-counting`
each text is asked of two sites in turn, of which one neither counts nor names its predictions.
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
WARM_UP = 20
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


# A site that neither counts nor names its predictions. NB: the site comes first, as it loads the models.
UNCOUNTED = """
from annotate.wsgi import application
from annotate.api import predict
from annotate.services.drift import prediction_ids
predict.COUNTER.add = lambda *_: None
prediction_ids.issue = lambda project, texts, said: [None] * len(texts)
"""


def main() -> None:
    options = _arguments()
    texts = [line for line in options.texts.read_text("utf-8").splitlines() if line.strip()]
    if options.cost_of_counting:
        with own_site(options) as counting, own_site(options, "uncounted") as bare:
            report = compare(counting, bare, texts, options)
    elif options.url:
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
    parser.add_argument("--cost-of-counting", action="store_true")
    parser.add_argument("--texts-per-request", type=int, default=1, help="with --cost-of-counting")
    parser.add_argument("--requests", type=int, default=1000)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if bool(options.url) == bool(options.bundle):
        parser.error("give either --bundle or --url")
    if options.cost_of_counting and not options.bundle:
        parser.error("--cost-of-counting needs --bundle")
    return options


@contextmanager
def own_site(options: argparse.Namespace, module: str = "annotate.wsgi") -> Iterator[tuple[str, str]]:
    """Serve the bundle from a site in a temporary folder, and yield its address and a token."""
    with tempfile.TemporaryDirectory(prefix="winnow-bench-") as home:
        (Path(home) / "uncounted.py").write_text(UNCOUNTED, "utf-8")
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
            module,
            "--pythonpath",
            home,
            "-b",
            f"127.0.0.1:{port}",
            "-k",
            "gthread",
            "--threads",
            "4",
            "--keep-alive",
            "75",
            "--timeout",
            "300",
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


Report = dict[str, float | str]


class Client:
    """Asks one site for a text at a time, over one kept connection."""

    def __init__(self, url: str, project: str, token: str) -> None:
        self._connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
        self._path = f"/api/v1/projects/{project}/predict"
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        self.family = ""

    def ask(self, *texts: str) -> float:
        """Return how many milliseconds the answer took."""
        body = json.dumps({"text": texts[0]} if len(texts) == 1 else {"texts": texts})
        begun = time.perf_counter()
        self._connection.request("POST", self._path, body, self._headers)
        response = self._connection.getresponse()
        answer = json.loads(response.read())
        taken = (time.perf_counter() - begun) * 1000
        if response.status != 200:
            raise SystemExit(f"The site answered {response.status}: {answer['detail']}")
        self.family = answer["family"]
        return taken


def measure(url: str, project: str, token: str, texts: list[str], requests: int) -> Report:
    """Ask for one text after the other; the first ones only warm up."""
    client = Client(url, project, token)
    taken = [client.ask(texts[i % len(texts)]) for i in range(requests + WARM_UP)]
    p50, p95, p99 = (round(float(value), 2) for value in np.percentile(taken[WARM_UP:], [50, 95, 99]))
    return {"family": client.family, "requests": requests, "p50_ms": p50, "p95_ms": p95, "p99_ms": p99}


def compare(
    counting: tuple[str, str], bare: tuple[str, str], texts: list[str], options: argparse.Namespace
) -> Report:
    """Ask both sites for the same, the one that counts first every other time, and compare their medians.

    The interval of the ratio comes of 1,000 bootstrap draws of the requests.
    """
    requests, many = options.requests, options.texts_per_request
    clients = [Client(url, "bench", token) for url, token in (counting, bare)]
    taken = np.zeros((requests + WARM_UP, 2))
    for i, row in enumerate(taken):
        asked = [texts[j % len(texts)] for j in range(i * many, (i + 1) * many)]
        for which in (0, 1) if i % 2 else (1, 0):
            row[which] = clients[which].ask(*asked)
    taken = taken[WARM_UP:]
    rng = np.random.default_rng(0)
    drawn = taken[rng.integers(0, requests, (1000, requests))]  # (draws, requests, sites)
    medians = np.median(drawn, axis=1)
    low, high = np.percentile(medians[:, 0] / medians[:, 1], [2.5, 97.5])
    with_, without = np.median(taken, axis=0)
    return {
        "family": clients[0].family,
        "requests": requests,
        "texts_per_request": many,
        "p50_counting_ms": round(float(with_), 3),
        "p50_without_ms": round(float(without), 3),
        "ratio": round(float(with_ / without), 4),
        "ratio_low": round(float(low), 4),
        "ratio_high": round(float(high), 4),
    }


if __name__ == "__main__":
    main()
