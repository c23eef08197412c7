"""The documents page: its filters by label and lane, its columns, orders and pages."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.core.cache import cache
from django.test import Client
from django.urls import reverse

from annotate.models import (
    Annotation,
    AnnotationLabel,
    Assignment,
    Document,
    Label,
    ModelVersion,
    Prediction,
    Project,
    User,
)
from annotate.models.queue import AssignmentState
from annotate.services.documents import disagreements, filters
from annotate.services.documents.filters import FILTERS, Kind
from annotate.services.documents.pages import PAGE
from annotate.services.labeling import queue
from tests.annotate.made.answered import answer, predict
from training.types import Answer


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"lane": "pool"}, ["flagged", "skipped"]),
        ({"outcome": "skipped"}, ["skipped"]),
        ({"outcome": "flagged"}, ["flagged"]),
        ({"outcome": "none"}, ["silent"]),
        ({"disagree": "1"}, ["wrong"]),
        ({"q": "sil"}, ["silent"]),
        ({"half": "reporting"}, ["right", "silent", "wrong"]),
        ({"disagree": "0", "lane": "pool"}, ["flagged", "skipped"]),
        ({"outcome": "none", "annotator": ""}, ["silent"]),
    ],
)
def test_a_filter_shows_the_documents_it_names(
    colours: dict[str, Document],
    shown: Callable[..., list[str]],
    query: dict[str, str],
    expected: list[str],
) -> None:
    assert shown(**query) == expected


@pytest.mark.parametrize("value", ["abc", "NaN", "-1", "1e3", "9" * 30, "\0", "٣", "x" * 2000])
def test_a_value_that_a_filter_cannot_have_is_left_out_and_told(
    colours: dict[str, Document], sign_in: Callable[[User], Client], lead: User, project: Project, value: str
) -> None:
    client, where = sign_in(lead), reverse("documents", args=[project.slug])
    for name, entry in FILTERS.items():
        if entry.values in (Kind.TEXT, Kind.SWITCH, Kind.ENTRY):
            continue
        if entry.values is Kind.PERCENT and value == "٣":  # a number, in digits of its own
            continue
        response = client.get(where, {name: value, "before": value, "q": "right"})
        assert [row.document.text for row in response.context["rows"]] == ["right"]
        assert list(response.context["form"].errors) == [name]
        assert 'class="field-error"' in response.content.decode()
        assert response.context["is_filtered"]


@pytest.mark.parametrize("text", ["\0", "x" * 2000])
def test_a_text_that_cannot_be_searched_for_is_left_out_and_told(
    colours: dict[str, Document], sign_in: Callable[[User], Client], lead: User, project: Project, text: str
) -> None:
    response = sign_in(lead).get(reverse("documents", args=[project.slug]), {"q": text, "lane": "pool"})
    assert len(response.context["rows"]) == 2
    assert list(response.context["form"].errors) == ["q"]


def test_every_filter_stands_in_the_form_with_the_name_of_the_table(
    sign_in: Callable[[User], Client], lead: User, project: Project
) -> None:
    form = sign_in(lead).get(reverse("documents", args=[project.slug])).context["form"]
    assert {name: field.label for name, field in form.fields.items()} == {
        name: entry.title for name, entry in FILTERS.items()
    }
    assert not form.errors


def test_a_link_with_an_unknown_filter_is_an_error() -> None:
    assert filters.query(lane="pool", label=3) == "lane=pool&label=3"
    with pytest.raises(KeyError, match="colour"):
        filters.query(colour="red")


def test_a_member_who_has_decided_nothing_yet_is_a_filter_too(
    colours: dict[str, Document], shown: Callable[..., list[str]], lead: User
) -> None:
    assert shown(annotator=lead.pk) == []


def test_labels_find_what_people_and_what_the_model_said(
    colours: dict[str, Document], shown: Callable[..., list[str]], project: Project, annotator: User
) -> None:
    red, green, _blue = project.labels.values_list("pk", flat=True)
    assert shown(label=red) == ["right"]
    assert shown(decided=red) == ["right", "silent", "wrong"]
    assert shown(label=green, decided=red) == ["wrong"]
    assert shown(missed=green) == ["wrong"]
    assert shown(wrong=red) == ["wrong"]
    assert shown(annotator=annotator.pk, outcome="answered") == ["right", "wrong"]


def test_a_label_is_found_by_its_whole_key_among_those_decided(
    project: Project, shown: Callable[..., list[str]], add_documents: Callable[..., list[Document]]
) -> None:
    """In the JSON of each database: SQLite and PostgreSQL write blanks at different places."""
    version = ModelVersion.objects.create(
        project=project, number=1, family="tfidf", labelled=1, holdout_documents=0
    )
    Label.objects.bulk_create(Label(pk=pk, project=project, name=str(pk)) for pk in (901, 9011, 8901))
    decided = {"alone": (901,), "first": (901, 9011), "last": (8901, 901), "others": (9011, 8901), "none": ()}
    for text, labels in decided.items():
        (document,) = add_documents(project, text)
        scores = ((901, 0.9), (9011, 0.5), (8901, 0.5))
        Prediction.objects.create(document=document, version=version, answer=Answer(labels, scores=scores))
    assert shown(decided=901) == ["alone", "first", "last"]
    assert shown(decided=9011) == ["first", "others"]


def test_a_gold_answer_decides_what_counts_as_wrong(
    colours: dict[str, Document], shown: Callable[..., list[str]], lead: User
) -> None:
    gold = answer(colours["right"], lead, "blue")
    assert shown(disagree=1) == ["wrong"]
    gold.is_gold = True
    gold.save()
    assert shown(disagree=1) == ["right", "wrong"]


def test_annotators_who_disagree_with_each_other_are_found_in_either_lane(
    colours: dict[str, Document], shown: Callable[..., list[str]], lead: User, annotator: User
) -> None:
    answer(colours["right"], lead, "blue")
    pool = colours["skipped"]
    Annotation.objects.filter(document=pool).delete()
    for person in (lead, annotator):
        answer(pool, person, "red")
    answer(colours["wrong"], lead, outcome="skipped")
    assert shown(split=1) == ["right"]  # a skip is no answer, and two who say the same agree
    answer(pool, User.objects.create(username="third"), "green")
    assert shown(split=1) == ["right", "skipped"]
    Annotation.objects.filter(document=pool, annotator=lead).update(is_gold=True)
    cache.clear()  # which holds the list for half a minute where nobody decided since
    assert shown(split=1) == ["right"]


def test_labels_of_the_same_answer_may_come_in_any_order(
    multi_project: Project, lead: User, annotator: User, add_documents: Callable[..., list[Document]]
) -> None:
    (document,) = add_documents(multi_project, "both")
    for person, names in ((lead, ("red", "green")), (annotator, ("green", "red"))):
        annotation = answer(document, person, names[0])
        AnnotationLabel.objects.create(annotation=annotation, label=multi_project.labels.get(name=names[1]))
    assert disagreements.among_annotators(multi_project) == []


def test_the_page_says_what_is_compared_and_counts_it(
    colours: dict[str, Document], sign_in: Callable[[User], Client], lead: User, project: Project
) -> None:
    answer(colours["right"], lead, "blue")
    answer(colours["skipped"], lead, "blue")
    cache.clear()  # of what an earlier test's project of this key counted
    where = reverse("documents", args=[project.slug])
    page = " ".join(sign_in(lead).get(where).content.decode().split())
    assert f'<a href="{where}?split=1">1 document whose annotators disagree with each other</a>' in page
    assert f'<a href="{where}?disagree=1">1 document that no annotator answered as the published' in page
    assert "(of the pool by models that had not learned it)" in page


def test_pages_follow_each_other_without_gap_or_repeat(
    sign_in: Callable[[User], Client],
    lead: User,
    project: Project,
    add_documents: Callable[..., list[Document]],
) -> None:
    add_documents(project, *[f"text {i:03}" for i in range(PAGE + 3)])
    client, where = sign_in(lead), reverse("documents", args=[project.slug])
    first = client.get(where, {"lane": "pool"})
    second = client.get(where + first.context["next_url"])
    texts = [row.document.text for row in [*first.context["rows"], *second.context["rows"]]]
    assert texts == [f"text {i:03}" for i in reversed(range(PAGE + 3))]
    assert second.context["next_url"] == ""


def test_markup_in_a_text_is_shown_as_text(
    sign_in: Callable[[User], Client],
    lead: User,
    project: Project,
    add_documents: Callable[..., list[Document]],
) -> None:
    add_documents(project, "<script>alert(1)</script>")
    content = sign_in(lead).get(reverse("documents", args=[project.slug])).content.decode()
    assert "&lt;script&gt;alert(1)" in content


def test_a_skipped_document_comes_back_to_its_annotator(
    colours: dict[str, Document],
    sign_in: Callable[[User], Client],
    lead: User,
    annotator: User,
    project: Project,
) -> None:
    document = colours["skipped"]
    Assignment.objects.create(
        project=project, document=document, rank=1, state=AssignmentState.DONE, annotator=annotator
    )
    annotation = document.annotations.get()
    response = sign_in(lead).post(
        reverse("document-return", args=[project.slug, annotation.pk]), {"next": "https://elsewhere.example/"}
    )
    assert response["Location"] == reverse("documents", args=[project.slug])
    place = queue.claim(project=project, annotator=annotator)
    assert place is not None
    assert place.document == document


def test_answers_and_predictions_cost_no_query_per_document(
    sign_in: Callable[[User], Client],
    lead: User,
    annotator: User,
    project: Project,
    add_documents: Callable[..., list[Document]],
    django_assert_max_num_queries: Callable[[int], object],
) -> None:
    for document in add_documents(project, *[f"text {i}" for i in range(30)]):
        answer(document, annotator, "red")
        predict(document, "red")
    client = sign_in(lead)
    with django_assert_max_num_queries(32):  # type: ignore[attr-defined]
        client.get(reverse("documents", args=[project.slug]))


def test_late_double_answers_are_marked_counted_and_found(
    project: Project,
    lead: User,
    annotator: User,
    add_documents: Callable[..., list[Document]],
    sign_in: Callable[[User], Client],
) -> None:
    twice, once = add_documents(project, "answered twice", "answered once, late")
    for document, person, is_late in ((twice, annotator, True), (twice, lead, False), (once, lead, True)):
        Annotation.objects.create(
            project=project, document=document, annotator=person, outcome="answered", is_late=is_late
        )
    client = sign_in(lead)
    page = client.get(f"/projects/{project.slug}/documents/").content.decode()
    assert "1 document has more answers than wanted" in page
    assert page.count(">late</span>") == 2
    found = client.get(f"/projects/{project.slug}/documents/?late=1").content.decode()
    assert "answered twice" in found
    assert "answered once, late" not in found
    assert "?late=1" in client.get(f"/projects/{project.slug}/").content.decode()
    Annotation.objects.update(is_late=False)
    for address in ("documents/", ""):
        quiet = client.get(f"/projects/{project.slug}/{address}").content.decode()
        assert "more answers than wanted" not in quiet
        assert "?late=1" not in quiet


def test_columns_are_chosen_in_the_address_and_metadata_has_its_own(
    sign_in: Callable[[User], Client],
    lead: User,
    project: Project,
    add_documents: Callable[..., list[Document]],
) -> None:
    (document,) = add_documents(project, "a text")
    document.meta = {"a.b c": {"deep": [1, True]}, "channel": "<b>mail</b>"}
    document.save()
    client, where = sign_in(lead), reverse("documents", args=[project.slug])
    usual = client.get(where)
    assert "meta:a.b c" in usual.context["table"].titles
    assert "mail" not in usual.content.decode().partition("<tbody>")[2]
    chosen = client.get(where, {"column": ["meta:channel", "meta:a.b c", "length"]})
    assert [name for name, _title in chosen.context["table"].columns] == [
        "length",
        "meta:a.b c",
        "meta:channel",
    ]
    row = chosen.content.decode().partition("<tbody>")[2]
    assert "&lt;b&gt;mail&lt;/b&gt;" in row
    assert "{&quot;deep&quot;:[1,true]}" in row


def test_a_column_that_is_not_there_is_told_and_the_others_are_shown(
    colours: dict[str, Document], sign_in: Callable[[User], Client], lead: User, project: Project
) -> None:
    where = reverse("documents", args=[project.slug])
    for wrong in ("colour", "\0", "meta:", "meta:" + "x" * 10_000):
        response = sign_in(lead).get(where, {"column": [wrong, "lane"]})
        assert [name for name, _title in response.context["table"].columns] == ["lane"]
        assert "This table has no column" in response.content.decode()
        assert len(response.context["rows"]) == 5


def test_the_page_before_ends_where_the_next_one_began(
    sign_in: Callable[[User], Client],
    lead: User,
    project: Project,
    add_documents: Callable[..., list[Document]],
) -> None:
    add_documents(project, *[f"text {i:03}" for i in range(2 * PAGE + 3)])
    client, where = sign_in(lead), reverse("documents", args=[project.slug])
    pages = [client.get(where)]
    while pages[-1].context["next_url"]:
        pages.append(client.get(where + pages[-1].context["next_url"]))
    shown = [[row.document.pk for row in page.context["rows"]] for page in pages]
    assert [len(keys) for keys in shown] == [PAGE, PAGE, 3]
    back = pages[-1]
    for expected in reversed(shown[:-1]):
        back = client.get(where + back.context["back_url"])
        assert [row.document.pk for row in back.context["rows"]] == expected
    assert back.context["back_url"] == ""
    old = client.get(where, {"before": shown[0][-1]})  # as links of an earlier site name it
    assert [row.document.pk for row in old.context["rows"]] == shown[1]
