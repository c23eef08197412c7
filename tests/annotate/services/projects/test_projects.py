from __future__ import annotations

from collections.abc import Callable

import pytest
from django.core.exceptions import ValidationError

from annotate import hotkeys
from annotate.models import Annotation, AnnotationLabel, Assignment, Document, Membership, Project, User
from annotate.models.members import Role
from annotate.models.queue import AssignmentState
from annotate.services.projects import labels as label_service
from annotate.services.projects import members, projects
from annotate.services.projects.labels import LabelEdit
from annotate.services.projects.refused import Refused


def _edits(project: Project, **keys: str) -> list[LabelEdit]:
    return [
        LabelEdit(label.pk, label.name, label.description, keys.get(label.name, label.hotkey))
        for label in project.labels.live()
    ]


@pytest.mark.parametrize("task", ["single", "multi"])
def test_a_key_of_the_labelling_page_is_refused_where_that_page_uses_it(
    make_project: Callable[..., Project], task: str
) -> None:
    project = make_project(task=task)
    with pytest.raises(Refused, match="cannot have the key “f”"):
        label_service.update_labels(project=project, edits=_edits(project, red="f"))
    if task == "multi":
        with pytest.raises(Refused, match="cannot have the key “n”"):
            label_service.update_labels(project=project, edits=_edits(project, red="n"))
    else:
        label_service.update_labels(project=project, edits=_edits(project, red="n"))
        assert project.labels.get(name="red").hotkey == "n"


def test_a_new_project_has_its_lead_and_keys_that_leave_out_the_pages_own(lead: User) -> None:
    labels = [(f"label {i}", "") for i in range(25)]
    project = projects.create_project(by=lead, name="Many", slug="many", task="multi", labels=labels)
    keys = list(project.labels.values_list("hotkey", flat=True))
    assert "".join(keys) == "1234567890qwertyiop"
    assert project.memberships.get().role == Role.LEAD


def test_a_short_name_is_given_once(project: Project, lead: User) -> None:
    with pytest.raises(Refused, match="colours"):
        projects.create_project(by=lead, name="Other", slug="colours", task="single", labels=[("a", "")])


@pytest.mark.parametrize("families", [[], ["nonsense"], "tfidf"])
def test_families_that_do_not_exist_are_refused(project: Project, families: object) -> None:
    with pytest.raises(ValidationError) as refused:
        projects.change_settings(project=project, changes={"families": families})
    assert "families" in refused.value.message_dict


def test_a_clash_of_keys_is_refused_naming_both_labels(project: Project) -> None:
    with pytest.raises(Refused, match="“red” and “green”"):
        label_service.update_labels(project=project, edits=_edits(project, green="1"))


@pytest.mark.parametrize("key", ["f", "u", "g", "/", "?", " "])
def test_a_key_of_the_labelling_page_is_refused(project: Project, key: str) -> None:
    with pytest.raises(Refused, match="green"):
        label_service.update_labels(project=project, edits=_edits(project, green=key))


def test_keys_that_leave_too_few_for_the_likeliest_labels_are_refused(
    make_project: Callable[..., Project],
) -> None:
    project = make_project(labels=[f"label {n}" for n in range(11)])
    wanted = {f"label {n}": key for n, key in enumerate(hotkeys.APART[:-4])}
    with pytest.raises(Refused, match="needs 5 of the keys a s d j k .* leave it 4"):
        label_service.update_labels(project=project, edits=_edits(project, **wanted))
    del wanted["label 0"]
    label_service.update_labels(project=project, edits=_edits(project, **wanted))
    assert hotkeys.likeliest(project.labels.values_list("hotkey", flat=True)) == [
        hotkeys.APART[0],
        *hotkeys.APART[-4:],
    ]
    project.labels.filter(name="label 0").update(hotkey="a")  # as it was before there was such a rule
    label_service.update_labels(project=project, edits=_edits(project))


def test_few_labels_may_have_any_key(make_project: Callable[..., Project]) -> None:
    project = make_project(labels=[f"label {n}" for n in range(10)])
    wanted = {f"label {n}": key for n, key in enumerate(hotkeys.APART[:10])}
    label_service.update_labels(project=project, edits=_edits(project, **wanted))


def test_two_labels_can_swap_names_and_keys(project: Project) -> None:
    red, green, blue = project.labels.all()
    edits = [
        LabelEdit(red.pk, "green", "", "2"),
        LabelEdit(green.pk, "red", "", "1"),
        LabelEdit(blue.pk, "blue", "", "3"),
    ]
    label_service.update_labels(project=project, edits=edits)
    assert list(project.labels.values_list("pk", "name", "hotkey")) == [
        (red.pk, "green", "2"),
        (green.pk, "red", "1"),
        (blue.pk, "blue", "3"),
    ]


def test_archiving_tells_how_many_annotations_keep_the_label(
    project: Project, annotator: User, add_documents: Callable[..., list[Document]]
) -> None:
    (document,) = add_documents(project, "a text")
    red = project.labels.get(name="red")
    annotation = Annotation.objects.create(
        project=project, document=document, annotator=annotator, outcome="answered"
    )
    AnnotationLabel.objects.create(annotation=annotation, label=red)
    assert label_service.archive_label(label=red) == 1
    assert not project.labels.live().filter(name="red").exists()
    assert annotation.choices.get().label == red


def test_a_restored_label_gets_a_free_key_where_its_own_is_taken(project: Project) -> None:
    red = project.labels.get(name="red")
    label_service.archive_label(label=red)
    label_service.update_labels(project=project, edits=_edits(project, green="1"))
    red.refresh_from_db()
    assert label_service.restore_label(label=red) == []
    red.refresh_from_db()
    assert red.hotkey == "2"


def test_only_changed_guidelines_get_a_new_version(project: Project) -> None:
    same = projects.change_settings(project=project, changes={"guidelines": "", "batch_size": 20})
    assert (same.guidelines_version, same.batch_size) == (1, 20)
    assert projects.change_settings(project=project, changes={"guidelines": "New"}).guidelines_version == 2


def test_the_last_lead_can_neither_leave_nor_step_down(project: Project, lead: User) -> None:
    membership = project.memberships.get(user=lead)
    with pytest.raises(Refused, match="lena"):
        members.remove_member(membership=membership)
    with pytest.raises(Refused, match="lena"):
        members.change_role(membership=membership, role=Role.ANNOTATOR)
    assert Membership.objects.get(pk=membership.pk).role == Role.LEAD


def test_documents_reserved_for_a_removed_member_go_back_to_the_queue(
    project: Project, annotator: User, add_documents: Callable[..., list[Document]]
) -> None:
    (document,) = add_documents(project, "a text")
    place = Assignment.objects.create(
        project=project, document=document, rank=1, state=AssignmentState.LEASED, annotator=annotator
    )
    members.remove_member(membership=project.memberships.get(user=annotator))
    place.refresh_from_db()
    assert (place.state, place.annotator) == (AssignmentState.WAITING, None)


def test_an_unknown_user_name_is_refused_by_name(project: Project) -> None:
    with pytest.raises(Refused, match="nobody"):
        members.add_member(project=project, username="nobody", role=Role.ANNOTATOR)
