"""Projects whose made-up texts somebody has marked, and labelled as a whole where their task wants that."""

from __future__ import annotations

from collections.abc import Callable

from annotate.models import Annotation, Document, Project, User
from training.spans import SpanDataset
from training.types import Answer, Span


def mark(
    project: Project,
    annotator: User,
    add_documents: Callable[..., list[Document]],
    data: SpanDataset,
    *,
    lane: str = "pool",
    tag: str = "",
    empty: bool = False,
) -> None:
    """Add the texts, each told from others by `tag` and its number, with what is true of them as answers.

    Of the holdout every other text is in the tuning half. Where `empty`, nothing was found in any of them.
    """
    keys = dict(project.labels.values_list("name", "pk"))
    for i, (text, spans) in enumerate(zip(data.texts, data.spans, strict=True)):
        half = ("tuning", "reporting")[i % 2] if lane == "holdout" else ""
        (document,) = add_documents(project, f"{text} {lane} {tag} {i}", lane=lane, half=half)
        given = () if empty else tuple(Span(one.start, one.end, keys[str(one.label)]) for one in spans)
        labels: tuple[int, ...] = ()
        if data.labels is not None:
            row = data.labels.targets[i]
            labels = tuple(keys[key] for key, has in zip(data.labels.schema.keys, row, strict=True) if has)
        Annotation.objects.create(
            project=project, document=document, annotator=annotator, outcome="answered"
        ).say(Answer(labels, given), is_new=True)
