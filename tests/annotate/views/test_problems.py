"""The pages of a request that cannot be answered look like the others and say what to do."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client, RequestFactory
from django.urls import reverse
from django.views import defaults

from annotate.models import Project, User


def test_a_page_that_is_not_there_leads_back(
    sign_in: Callable[[User], Client], stranger: User, project: Project
) -> None:
    response = sign_in(stranger).get(reverse("label", args=[project.slug]))
    page = response.content.decode()
    assert response.status_code == 404
    assert "no such page for you" in page
    assert reverse("projects") in page
    assert "annotate/base" in page


def test_a_form_without_its_token_says_that_nothing_changed(lead: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(lead)
    response = client.post(reverse("project-create"), {"name": "x"})
    assert response.status_code == 403
    assert "Nothing was changed" in response.content.decode()


@pytest.mark.parametrize(("view", "status"), [(defaults.server_error, 500), (defaults.bad_request, 400)])
def test_a_failure_is_told_without_a_context(
    view: Callable[..., object], status: int, rf: RequestFactory
) -> None:
    arguments = {} if status == 500 else {"exception": ValueError("secret")}
    response = view(rf.get("/"), **arguments)
    assert response.status_code == status  # type: ignore[attr-defined]
    page = response.content.decode()  # type: ignore[attr-defined]
    assert "annotate/base" in page
    assert "secret" not in page
