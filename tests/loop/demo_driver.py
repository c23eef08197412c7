"""Makes the demo's projects from other sentences, or tells as JSON what is in the first of them."""

from __future__ import annotations

import json
import sys

import django

django.setup()

from django.core.management import call_command  # noqa: E402

from annotate.models import Project  # noqa: E402
from annotate.models.jobs import JobKind  # noqa: E402
from annotate.models.work import WorkState  # noqa: E402
from annotate.services.demo import seed, texts  # noqa: E402
from annotate.services.demo.texts import Rated  # noqa: E402
from tests.loop.loop_driver import FILLER  # noqa: E402

EACH = 60
WORDS = {
    "tweet": ("lol", "haha", "omg", "tbh"),
    "film": ("plot", "actors", "scene", "director"),
    "product": ("battery", "price", "box", "charger"),
    "news": ("senate", "law", "vote", "minister"),
}


def seed_projects() -> None:
    call_command("migrate", verbosity=0)
    lead, _password = seed.ensure_lead()
    rated = [sentence(source, n) for source in texts.SOURCES.values() for n in range(EACH)]
    for slug in seed.PROJECTS:
        seed.ensure_project(slug=slug, by=lead, rated=rated)


def sentence(source: str, n: int) -> Rated:
    words = WORDS[source]
    text = f"{FILLER[n % len(FILLER)]} {words[n % 4]} {words[(n + 1) % 4]} number {n} {words[(n + 2) % 4]}"
    return Rated(f"{source}-{n}", text, source, (-3.0, 0.0, 1.0)[n % 3])


def tell() -> None:
    project = Project.objects.get(slug=seed.KIND)
    print(  # noqa: T201
        json.dumps(
            {
                "answers": project.annotations.filter(annotator__is_machine=True).count(),
                "documents": project.annotations.values("document").distinct().count(),
                "versions": list(project.versions.order_by("number").values_list("number", flat=True)),
                "published": project.versions.published().exists(),
                "predicted": project.documents.filter(prediction__isnull=False).exists(),
                "report_cards": project.jobs.filter(
                    kind=JobKind.REPORTCARD, state=WorkState.SUCCEEDED
                ).count(),
                "failed": list(project.runs.filter(state="failed").values_list("error", flat=True)),
            }
        )
    )


if __name__ == "__main__":
    {"seed": seed_projects, "tell": tell}[sys.argv[1]]()
