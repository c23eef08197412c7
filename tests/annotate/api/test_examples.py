"""The examples of docs/api.md are run as they stand there, and answer with what stands below them."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from annotate.models import BulkChange, Document, Project, User
from annotate.models.bulk import BulkOptions
from annotate.services.people import invitations

PAGE = Path(__file__).resolve().parents[3] / "docs" / "api.md"
HOST = "https://HOST"


def examples() -> list[tuple[str, str]]:
    """Return each command of the section “Examples” with the answer below it."""
    section = PAGE.read_text(encoding="utf-8").partition("\n## Examples\n")[2].partition("\n## ")[0]
    blocks, block = [], list[str]()
    for line in [*section.splitlines(), ""]:
        if line.startswith("    "):
            block.append(line.removeprefix("    "))
        elif block and not line:
            blocks.append("\n".join(block))
            block = []
    commands = [block for block in blocks if block.startswith("curl ")]
    return [(command, blocks[blocks.index(command) + 1]) for command in commands]


EXAMPLES = examples()


def shape(value: Any) -> Any:
    """Return which keys a value has, at every depth; of a list those of its first row."""
    if isinstance(value, dict):
        return {key: shape(part) for key, part in value.items() if key not in {"meta", "details"}}
    return [shape(value[0])] if isinstance(value, list) and value else type(value).__name__


def test_there_are_examples_of_each_thing() -> None:
    assert len(EXAMPLES) >= 8


@pytest.mark.parametrize(
    ("command", "answer"), EXAMPLES, ids=[command.rpartition("/v1/")[2] for command, _ in EXAMPLES]
)
def test_an_example_answers_as_it_says(
    command: str,
    answer: str,
    project: Project,
    lead: User,
    stranger: User,
    annotator: User,
    add_documents: Callable[..., list[Document]],
    api: Callable[..., Client],
) -> None:
    (document,) = add_documents(project, "my card has not arrived")
    client = api(lead)
    client.post(
        f"/api/v1/projects/colours/documents/{document.pk}/comments",
        {"text": "is this right?"},
        content_type="application/json",
    )
    ((invitation, _token),) = invitations.issue(
        project=project, by=lead, role="annotator", guests=["Ada"], days=7
    )
    change = BulkChange.objects.create(
        project=project,
        by=lead,
        action="move",
        options=BulkOptions(lane="holdout").dump(),
        packed=BulkChange.pack([document.pk]),
        hits=1,
    )
    first, second, *_others = project.labels.all()
    keys = {
        "labels/4": f"labels/{first.pk}",
        "into=5": f"into={second.pk}",
        '"into": 5': f'"into": {second.pk}',
        "bulk/9": f"bulk/{change.pk}",
        "documents/7": f"documents/{document.pk}",
        "document=7": f"document={document.pk}",
        "members/3": f"members/{project.memberships.get(user=annotator).pk}",
        "invitations/5": f"invitations/{invitation.pk}",
        "SLUG": project.slug,
    }
    for written, real in keys.items():
        command = command.replace(written, real)
    words = shlex.split(command.replace("\\\n", " "))
    assert words[1:3] == ["-H", "Authorization: Bearer $KEY"]
    body = words[words.index("-d") + 1] if "-d" in words else None
    method = words[words.index("-X") + 1] if "-X" in words else "POST" if body else "GET"
    assert words[-1].startswith(f"{HOST}/api/v1/")
    response = client.generic(
        method, words[-1].removeprefix(HOST), body or "", content_type="application/json"
    )
    if answer == "204 No Content":
        assert (response.status_code, response.content) == (204, b"")
        return
    assert response.status_code in {200, 201, 202}, response.content
    assert shape(response.json()) == shape(json.loads(answer))
