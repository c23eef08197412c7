from __future__ import annotations

import pytest

from annotate.models import Event, Project, User
from annotate.models.events import EventKind
from annotate.services import events


def test_an_event_tells_who_did_what_also_when_both_are_gone(project: Project, lead: User) -> None:
    events.record(EventKind.LABEL_ARCHIVED, by=lead, project=project, subject="red", kept=3)
    name, key = project.name, project.pk
    project.delete()
    User.objects.filter(pk=lead.pk).delete()
    event = Event.objects.get()
    assert (event.by, event.by_name) == (None, "lena")
    assert (event.project_id, event.project_name) == (key, name)
    assert (event.subject, event.details) == ("red", {"kept": 3})


def test_the_log_is_only_added_to(project: Project, lead: User) -> None:
    event = events.record(EventKind.LABEL_ARCHIVED, by=lead, project=project)
    for change in (
        event.save,
        event.delete,
        Event.objects.all().delete,
        lambda: Event.objects.update(subject="another"),
    ):
        with pytest.raises(TypeError, match="only added to"):
            change()
