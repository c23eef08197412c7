from __future__ import annotations

from collections.abc import Callable

from django.test import Client

from annotate.models import Project, User
from annotate.services.projects import merging


def test_whoever_asks_to_merge_a_label_that_is_merged_is_told_so(
    project: Project, lead: User, sign_in: Callable[[User], Client]
) -> None:
    red, green, _blue = project.labels.all()
    client, address = sign_in(lead), f"/projects/colours/labels/{red.pk}/merge/?into={green.pk}"
    asked = client.get(address).content.decode()
    assert all(sentence in asked for sentence in merging.consequences(red, green)[1:])
    merging.merge(label=red, into=green, by=lead)
    told = client.get(address, follow=True)
    assert told.redirect_chain == [("/projects/colours/labels/", 302)]
    assert "“red” was merged already." in told.content.decode()


def test_a_lead_is_told_what_taking_a_merge_back_does_before_it_is_done(
    project: Project, lead: User, sign_in: Callable[[User], Client]
) -> None:
    red, green, _blue = project.labels.all()
    merging.merge(label=red, into=green, by=lead)
    client, address = sign_in(lead), f"/projects/colours/labels/{red.pk}/restore/"
    assert f'href="{address}"' in client.get("/projects/colours/labels/").content.decode()
    asked = client.get(address).content.decode()
    red.refresh_from_db()
    assert all(sentence in asked for sentence in merging.consequences_of_return(red))
    assert red.merged_into == green
    told = client.post(address, follow=True).content.decode()
    assert "“red” is offered again. A worker gives it its answers back." in told
    red.refresh_from_db()
    assert (red.merged_into, red.archived_at, red.is_returning) == (None, None, True)
    assert "Take back" not in client.get(address).content.decode()
