"""Annotators in a process of their own: `python -m tests.loop.claims_driver SLUG NAME…` decides on its cards.

`NAME=2` saves the settings with two annotators per document after the person's fifth decision. The documents
that each person decided on are printed as JSON.
"""

from __future__ import annotations

import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
django.setup()

from django.db import connections  # noqa: E402 (after setup)

from annotate.models import Project, User  # noqa: E402
from annotate.services.labeling import decisions, queue, write_lock  # noqa: E402
from annotate.services.projects.projects import change_settings  # noqa: E402


def label(slug: str, words: str) -> list[int]:
    """Decide until the queue is empty; a decision and the next lease are one transaction, as on the page."""
    name, _, asked = words.partition("=")
    project, annotator = Project.objects.get(slug=slug), User.objects.get(username=name)
    decided: list[int] = []
    dealt = _deal(project, annotator)
    while dealt is not None:
        with write_lock.in_turn():
            sent = decisions.Submission(card=dealt.card.key, outcome="skipped")
            decisions.keep(project=project, annotator=annotator, submission=sent)
            decided.append(dealt.card.document_id)
            dealt = queue.deal(project=project, annotator=annotator)
        if asked and len(decided) == 5:
            change_settings(project=project, changes={"annotators_per_document": int(asked)})
        dealt = dealt or _deal(project, annotator)
    connections.close_all()
    return decided


def _deal(project: Project, annotator: User) -> queue.Dealt | None:
    with write_lock.in_turn():
        return queue.deal_from_filled(project=project, annotator=annotator)


if __name__ == "__main__":
    names = sys.argv[2:]
    with ThreadPoolExecutor(len(names)) as pool:
        results = pool.map(lambda name: label(sys.argv[1], name), names)
        json.dump(dict(zip(names, results, strict=True)), sys.stdout)
