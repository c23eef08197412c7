"""Why an annotator got a text: which sentence stands on the card, and where none does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from django.test import Client

from annotate.models import Document, Prediction, Project, User
from annotate.models.projects import Suggestions, WhyChosen
from annotate.services.labeling import decisions, queue
from annotate.views.labeling import card
from tests.annotate.made.bundles import add_version
from training.types import Answer

pytestmark = pytest.mark.django_db
Told = Callable[..., str]

RANDOM = "It was drawn at random."
UNSURE = "The model was unsure of it."
WAVERS = "The model wavers between green and blue."


@pytest.fixture
def told(
    project: Project, annotator: User, add_documents: Callable[..., list[Document]], tmp_path: Path
) -> Told:
    """Return what the next card tells: of a document of a lane, chosen by a strategy, with such scores."""

    def tell(
        strategy: str = "margin",
        *,
        lane: str = "pool",
        scores: tuple[float, ...] = (),
        calibrated: bool = True,
        novel: bool = False,
        **fields: str,
    ) -> str:
        Project.objects.filter(pk=project.pk).update(**{"why_chosen": WhyChosen.POOL} | fields)
        project.refresh_from_db()
        (document,) = add_documents(project, "a text", lane=lane)
        if scores:
            version = add_version(project, tmp_path, calibrated=calibrated)
            keys = [project.labels.get(position=position).pk for position in (0, 2, 1)]
            pairs = tuple(zip(keys, scores, strict=False))
            Prediction.objects.create(
                document=document, version=version, answer=Answer((keys[2],), scores=pairs)
            )
        if strategy:
            unlike = [document.pk] if novel else []
            queue.refill(
                project=project, strategy=strategy, version=None, documents=[document.pk], novel=unlike
            )
        return card.next_card(project, annotator).why_chosen

    return tell


@pytest.mark.parametrize(
    ("strategy", "scores", "sentence"),
    [
        ("margin", (0.1, 0.41, 0.49), WAVERS),
        ("entropy", (0.1, 0.41, 0.49), WAVERS),
        ("margin", (0.1, 0.2, 0.7), UNSURE),
        ("margin", (), UNSURE),
        ("label_turns", (0.1, 0.41, 0.49), UNSURE),
        ("kmeans", (0.1, 0.41, 0.49), "It was chosen to cover all kinds of texts."),
        ("random", (0.1, 0.41, 0.49), RANDOM),
        ("", (0.1, 0.41, 0.49), RANDOM),
        ("a strategy of before", (), ""),
    ],
)
def test_the_strategy_of_the_batch_and_the_scores_say_why(
    told: Told, strategy: str, scores: tuple[float, ...], sentence: str
) -> None:
    assert told(strategy, scores=scores) == sentence


def test_a_text_unlike_what_has_a_label_is_not_called_unsure(told: Told) -> None:
    assert told(scores=(0.1, 0.41, 0.49), novel=True) == "It is unlike the texts that have a label."


@pytest.mark.parametrize("suggestions", [Suggestions.AFTER, Suggestions.NEVER])
def test_labels_are_named_only_where_suggestions_are_shown_at_once(told: Told, suggestions: str) -> None:
    assert told(scores=(0.1, 0.41, 0.49), suggestions=suggestions) == UNSURE


def test_scores_that_only_rank_name_no_labels(told: Told) -> None:
    assert told(scores=(0.1, 0.41, 0.49), calibrated=False) == UNSURE


def test_the_card_shows_the_sentence_as_text(
    told: Told, project: Project, annotator: User, sign_in: Callable[[User], Client]
) -> None:
    project.labels.filter(name="green").update(name="<b>green</b>")
    assert told(scores=(0.1, 0.41, 0.49)) == "The model wavers between <b>green</b> and blue."
    html = sign_in(annotator).get(f"/projects/{project.slug}/label/").content.decode()
    assert "The model wavers between &lt;b&gt;green&lt;/b&gt; and blue." in html


@pytest.mark.parametrize(
    ("wish", "sentence"),
    [
        (WhyChosen.NEVER, ""),
        (WhyChosen.POOL, RANDOM),
        (WhyChosen.ALL, "It was drawn at random, to measure the models."),
    ],
)
def test_that_a_text_measures_is_told_only_where_the_project_wants_it(
    told: Told, wish: str, sentence: str
) -> None:
    assert told("", lane="holdout", why_chosen=wish) == sentence


def test_a_project_tells_nothing_unless_a_lead_wants_it(told: Told) -> None:
    assert Project._meta.get_field("why_chosen").default == WhyChosen.NEVER
    assert told(scores=(0.1, 0.41, 0.49), why_chosen=WhyChosen.NEVER) == ""


def test_an_earlier_decision_has_no_such_line(project: Project, annotator: User, told: Told) -> None:
    assert told("", lane="holdout") == RANDOM
    view = card.next_card(project, annotator)
    assert view.card is not None
    decisions.submit(project=project, annotator=annotator, card=view.card.key, outcome="skipped")
    assert card.previous_card(project, annotator, before=None).why_chosen == ""


def test_what_was_drawn_at_random_says_so_whatever_the_strategy(
    project: Project, annotator: User, add_documents: Callable[..., list[Document]]
) -> None:
    Project.objects.filter(pk=project.pk).update(why_chosen=WhyChosen.POOL)
    project.refresh_from_db()
    (document,) = add_documents(project, "a text")
    queue.refill(
        project=project, strategy="margin", version=None, documents=[document.pk], drawn={document.pk}
    )
    assert card.next_card(project, annotator).why_chosen == RANDOM
