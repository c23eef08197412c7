"""The annotator that knows the answers: which they are, in which steps they come, and as whose."""

from __future__ import annotations

import pytest

from annotate.models import Annotation, Project, User
from annotate.services.demo import oracle, seed, texts


@pytest.fixture
def make_demo(archive: bytes, lead: User, db: None) -> dict[str, Project]:
    rated = list(texts.read(archive))
    return {slug: seed.ensure_project(slug=slug, by=lead, rated=rated) for slug in seed.PROJECTS}


@pytest.mark.parametrize(
    ("slug", "rating", "names"),
    [
        (seed.KIND, 3.0, ["film"]),
        (seed.SENTIMENT, 0.5, ["positive"]),
        (seed.SENTIMENT, 0.4, ["neutral"]),
        (seed.SENTIMENT, -0.5, ["negative"]),
        (seed.TOPICS, 0.4, ["film"]),
        (seed.TOPICS, 1.9, ["film", "positive"]),
        (seed.TOPICS, -2.0, ["film", "negative", "strong"]),
    ],
)
def test_it_knows_where_a_sentence_is_from_and_how_people_rated_it(
    slug: str, rating: float, names: list[str]
) -> None:
    assert oracle.truth(Project(slug=slug), {"source": "film", "rating": rating}) == names
    assert set(names) <= {name for name, _description in seed.PROJECTS[slug].labels}


def test_it_does_not_know_the_answers_of_other_texts() -> None:
    with pytest.raises(oracle.Unanswerable, match="own texts only"):
        oracle.truth(Project(slug=seed.KIND), {})


def test_the_first_project_a_newcomer_sees_is_the_one_that_a_model_learns_soon(
    make_demo: dict[str, Project],
) -> None:
    first = Project.objects.first()
    assert first == make_demo[next(iter(seed.PROJECTS))]
    assert first.slug == seed.KIND


def test_a_demo_project_that_is_there_stays_as_it_is(make_demo: dict[str, Project], lead: User) -> None:
    Project.objects.filter(slug=seed.KIND).update(holdout_queue_share=0.1)
    again = seed.ensure_project(slug=seed.KIND, by=lead, rated=[])
    assert (again.holdout_queue_share, again.documents.count()) == (0.1, 240)


@pytest.mark.parametrize("slug", [seed.KIND, seed.TOPICS])
def test_its_answers_come_in_steps_as_a_machines(slug: str, make_demo: dict[str, Project]) -> None:
    project, heard = make_demo[slug], list[tuple[int, int]]()
    annotator = oracle.ensure(project=project)
    given = oracle.answer_in_steps(
        project=project,
        oracle=annotator,
        wanted=60,
        learn=lambda given: heard.append((given, project.annotations.count())),
    )
    assert given == 60
    assert heard == [(25, 25), (50, 50), (60, 60)]
    assert annotator.is_machine
    assert not annotator.has_usable_password()
    answers = Annotation.objects.filter(project=project).select_related("document")
    assert {answer.annotator for answer in answers} == {annotator}
    for answer in answers:
        wanted = oracle.truth(project, answer.document.meta)
        assert sorted(answer.labels.values_list("name", flat=True)) == sorted(wanted)


def test_it_measures_sooner_than_by_a_fifth_of_the_queue(make_demo: dict[str, Project]) -> None:
    project = make_demo[seed.KIND]
    assert project.holdout_queue_share == seed.HOLDOUT_QUEUE_SHARE > 0.2


def test_it_ends_where_no_text_is_left(make_demo: dict[str, Project]) -> None:
    project, heard = make_demo[seed.KIND], list[int]()
    annotator = oracle.ensure(project=project)
    answer = oracle.answer_in_steps(project=project, oracle=annotator, wanted=1_000, learn=heard.append)
    assert answer == 240
    assert heard[-1] == 240
    assert heard == sorted(set(heard))
