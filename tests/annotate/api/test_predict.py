from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from annotate.api import predict
from annotate.models import Label, PredictionTally, Project, User
from annotate.models.versions import ModelVersion, Stage
from annotate.services.drift.counting import PredictionCounter
from tests.annotate.made.bundles import add_version
from training.bundles.bundle import revise

Api = Callable[..., Client]


def ask(client: Client, slug: str = "colours", **body: Any) -> Any:
    return client.post(f"/api/v1/projects/{slug}/predict", body, content_type="application/json")


def test_an_annotator_gets_label_scores_and_version(
    project: Project, annotator: User, api: Api, bundle_root: Path
) -> None:
    add_version(project, bundle_root, number=4)
    answer = ask(api(annotator), text="a green tree").json()
    assert answer["version"] == 4
    assert answer["predictions"][0]["labels"] == ["green"]
    best = answer["predictions"][0]["scores"][0]
    assert best["label"] == "green"
    assert 0.5 < best["score"] <= 1
    assert answer["thresholds"] == {}
    assert answer["warning"] == ""


def test_what_is_answered_is_counted(
    project: Project, lead: User, api: Api, bundle_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counter = PredictionCounter()
    monkeypatch.setattr(predict, "COUNTER", counter)
    add_version(project, bundle_root)
    ask(api(lead), texts=["red", "blue"])
    assert counter.write() == 1
    assert PredictionTally.objects.get().texts == 2


def test_an_uncalibrated_version_tells_an_order_and_no_scores(
    project: Project, annotator: User, api: Api, bundle_root: Path
) -> None:
    add_version(project, bundle_root, calibrated=False)
    answer = ask(api(annotator), text="a green tree").json()
    assert answer["guess"] == "guess from few labels"
    (text,) = answer["predictions"]
    assert (text["labels"], text["silent"]) == (["green"], False)
    assert text["scores"][0] == {"label": "green", "score": None}
    assert {score["score"] for score in text["scores"]} == {None}


def test_an_uncalibrated_version_tells_no_thresholds(
    multi_project: Project, lead: User, api: Api, bundle_root: Path
) -> None:
    add_version(multi_project, bundle_root, thresholds=(0.1, 0.9, 0.999), calibrated=False)
    answer = ask(api(lead), "topics", texts=["red"]).json()
    assert answer["thresholds"] == {}
    assert answer["predictions"][0]["labels"] == ["red"]


def test_a_calibrated_version_is_no_guess(project: Project, lead: User, api: Api, bundle_root: Path) -> None:
    add_version(project, bundle_root)
    assert ask(api(lead), text="red").json()["guess"] == ""


def test_many_texts_come_back_in_order(project: Project, lead: User, api: Api, bundle_root: Path) -> None:
    add_version(project, bundle_root)
    texts = ["red", "blue", "", "green"] * 250
    predictions = ask(api(lead), texts=texts).json()["predictions"]
    assert [p["labels"][0] for p in predictions[:2]] == ["red", "blue"]
    assert len(predictions) == 1000


def test_a_multi_label_answer_names_the_thresholds_it_applied(
    multi_project: Project, lead: User, api: Api, bundle_root: Path
) -> None:
    add_version(multi_project, bundle_root, thresholds=(0.1, 0.9, 0.999))
    answer = ask(api(lead), "topics", texts=["red and green and blue", "nothing"]).json()
    assert answer["predictions"][0]["labels"] == ["red", "green"][: len(answer["predictions"][0]["labels"])]
    assert set(answer["thresholds"]) == {"red", "green", "blue"}
    assert answer["thresholds"]["blue"] == pytest.approx(0.999)
    assert "blue" not in answer["predictions"][0]["labels"]


def test_top_cuts_the_scores(project: Project, lead: User, api: Api, bundle_root: Path) -> None:
    add_version(project, bundle_root)
    assert len(ask(api(lead), text="red", top=1).json()["predictions"][0]["scores"]) == 1


def test_a_renamed_label_answers_by_its_new_name(
    project: Project, lead: User, api: Api, bundle_root: Path
) -> None:
    add_version(project, bundle_root)
    client = api(lead)
    ask(client, text="red")
    Label.objects.filter(name="red").update(name="crimson")
    assert ask(client, text="red").json()["predictions"][0]["labels"] == ["crimson"]


def test_an_archived_label_is_never_decided(
    project: Project, lead: User, api: Api, bundle_root: Path
) -> None:
    version = add_version(project, bundle_root)
    Label.objects.filter(name="red").update(archived_at=version.created_at)
    prediction = ask(api(lead), text="red").json()["predictions"][0]
    assert "red" not in [*prediction["labels"], *(pair["label"] for pair in prediction["scores"])]


def test_a_new_version_answers_at_once(project: Project, lead: User, api: Api, bundle_root: Path) -> None:
    old = add_version(project, bundle_root)
    client = api(lead)
    assert ask(client, text="red").json()["version"] == 1
    ModelVersion.objects.filter(pk=old.pk).update(stage=Stage.RETIRED)
    add_version(project, bundle_root, number=2)
    assert ask(client, text="red").json()["version"] == 2


def test_before_the_first_model_it_says_so(project: Project, lead: User, api: Api) -> None:
    response = ask(api(lead), text="red")
    assert response.status_code == 409
    assert response.json()["code"] == "nothing_published"
    assert "no published model" in response.json()["detail"]


def test_a_stranger_finds_no_project(project: Project, stranger: User, api: Api, bundle_root: Path) -> None:
    add_version(project, bundle_root)
    known, unknown = ask(api(stranger), text="red"), ask(api(stranger), "nowhere", text="red")
    assert known.status_code == unknown.status_code == 404
    assert known.json() == unknown.json()


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"text": "a", "texts": ["b"]},
        {"texts": []},
        {"texts": ["x"] * 1001},
        {"texts": "red"},
        {"text": None},
        {"text": "nul \0"},
        {"text": "red", "top": 0},
    ],
)
def test_a_request_that_makes_no_sense_is_refused(
    body: dict[str, Any], project: Project, lead: User, api: Api, bundle_root: Path
) -> None:
    add_version(project, bundle_root)
    response = ask(api(lead), **body)
    assert response.status_code == 400
    assert response.json()["errors"]


def test_a_prediction_takes_four_queries(
    project: Project,
    lead: User,
    api: Api,
    bundle_root: Path,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    add_version(project, bundle_root)
    client = api(lead)
    ask(client, text="red")
    with django_assert_num_queries(4):
        ask(client, text="green")


def test_a_broken_bundle_leaves_the_previous_version_serving(
    project: Project, lead: User, api: Api, bundle_root: Path
) -> None:
    for number in (1, 2):
        add_version(project, bundle_root, number=number, stage=Stage.RETIRED)
    broken = add_version(project, bundle_root, number=3)
    (bundle_root / broken.bundle / "model.onnx").write_bytes(b"torn")
    answer = ask(api(lead), text="red").json()
    assert answer["version"] == 2
    assert "Version 3 cannot be loaded" in answer["warning"]


def test_an_earlier_version_that_is_broken_as_well_is_passed_over(
    project: Project, lead: User, api: Api, bundle_root: Path
) -> None:
    add_version(project, bundle_root, number=1, stage=Stage.RETIRED)
    for number, stage in ((2, Stage.RETIRED), (3, Stage.PUBLISHED)):
        broken = add_version(project, bundle_root, number=number, stage=stage)
        (bundle_root / broken.bundle / "model.onnx").write_bytes(b"torn")
    assert ask(api(lead), text="red").json()["version"] == 1


def test_with_no_bundle_that_loads_it_names_the_reason(
    project: Project, lead: User, api: Api, bundle_root: Path
) -> None:
    broken = add_version(project, bundle_root)
    (bundle_root / broken.bundle / "model.onnx").unlink()
    response = ask(api(lead), text="red")
    assert response.status_code == 503
    assert "model.onnx" in response.json()["detail"]


def test_a_prediction_is_explained_by_ngrams_and_their_places(
    project: Project, lead: User, api: Api, bundle_root: Path
) -> None:
    add_version(project, bundle_root)
    answer = ask(api(lead), texts=["a green tree, not red", "nothing"], explain=True).json()
    (reason,) = answer["predictions"][0]["explanation"]
    assert reason["label"] == answer["predictions"][0]["labels"][0]
    best, other = reason["ngrams"]
    assert {best["ngram"], other["ngram"]} == {"green", "red"}
    assert best["contribution"] > 0 > other["contribution"]
    assert [(part["start"], part["end"]) for part in sorted((best, other), key=lambda p: p["start"])] == [
        (2, 7),
        (18, 21),
    ]
    assert [reason["ngrams"] for reason in answer["predictions"][1]["explanation"]] == [[]]


def test_fasttext_explains_by_words_and_their_places(
    project: Project, lead: User, api: Api, bundle_root: Path
) -> None:
    add_version(project, bundle_root, family="fasttext")
    answers = [ask(api(lead), text="Is it GREEN?", explain=True).json() for _ in range(2)]
    ((prediction,), (again,)) = (answer["predictions"] for answer in answers)
    assert prediction | {"id": ""} == again | {"id": ""}  # each has an id of its own
    (reason,) = prediction["explanation"]
    assert reason["label"] == prediction["labels"][0] == "green"
    best = reason["ngrams"][0]
    assert (best["ngram"], best["start"], best["end"]) == ("green", 6, 11)
    assert best["contribution"] > 0


def test_every_decided_label_is_explained_else_the_best(
    multi_project: Project, lead: User, api: Api, bundle_root: Path
) -> None:
    add_version(multi_project, bundle_root, thresholds=(0.3, 0.3, 0.3))
    both, none = ask(api(lead), "topics", texts=["red and green", "none"], explain=True).json()["predictions"]
    assert {reason["label"] for reason in both["explanation"]} == set(both["labels"]) == {"red", "green"}
    assert none["labels"] == []
    assert [reason["label"] for reason in none["explanation"]] == [none["scores"][0]["label"]]


def test_nothing_is_explained_unless_asked(project: Project, lead: User, api: Api, bundle_root: Path) -> None:
    add_version(project, bundle_root)
    assert "explanation" not in ask(api(lead), text="red").json()["predictions"][0]


def test_a_version_that_cannot_explain_predicts_all_the_same(
    project: Project, lead: User, api: Api, bundle_root: Path
) -> None:
    add_version(project, bundle_root, explains=False)
    (prediction,) = ask(api(lead), text="red", explain=True).json()["predictions"]
    assert prediction["labels"] == ["red"]
    assert prediction["explanation"] is None


def test_too_many_texts_to_explain_are_refused(
    project: Project, lead: User, api: Api, bundle_root: Path
) -> None:
    add_version(project, bundle_root)
    response = ask(api(lead), texts=["red"] * 101, explain=True)
    assert response.status_code == 400
    assert "At most 100 texts" in response.json()["errors"][0]["detail"]
    assert ask(api(lead), texts=["red"] * 100, explain=True).status_code == 200


def test_what_a_version_is_too_unsure_of_is_abstained(
    multi_project: Project, lead: User, api: Api, bundle_root: Path
) -> None:
    version = add_version(multi_project, bundle_root, thresholds=(0.05,) * 3)
    folder = version.bundle_folder
    revise(folder, bundle_root / "revised", thresholds=(0.05,) * 3, abstain_below=0.75)
    ModelVersion.objects.filter(pk=version.pk).update(bundle="revised", bundle_digest="")
    # A label's logit is 6 where its name stands, else -2: 0.998 and 0.119, and 0.881 three times is 0.68.
    answer = ask(api(lead), slug="topics", texts=["red green blue", "nothing known"]).json()
    sure, unsure = answer["predictions"]
    assert (sure["abstained"], sorted(sure["labels"])) == (False, ["blue", "green", "red"])
    assert (unsure["abstained"], unsure["labels"]) == (True, [])
    assert len(unsure["scores"]) == 3
