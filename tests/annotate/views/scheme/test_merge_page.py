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
