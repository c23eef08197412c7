from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse

from annotate.models import Project, User
from annotate.services.projects import guidelines as versions
from annotate.services.projects import projects
from annotate.templatetags import markdown

SignIn = Callable[[User], Client]


def test_markdown_is_shown_and_nothing_that_could_act_or_load() -> None:
    shown = markdown.markdown(
        "# Refund\none\ntwo <script>alert(1)</script>\n\n[a](javascript:alert(1)) [b](https://e.org/)\n"
        "![the map](https://e.org/map.png)\n\n|x|y|\n|-|-|\n|1|<img src=x onerror=alert(1)>|"
    )
    assert "<h3>Refund</h3>" in shown
    assert "one<br>" in shown
    assert "&lt;script&gt;" in shown
    assert 'href="javascript' not in shown
    assert '<a href="https://e.org/" target="_blank" rel="noopener noreferrer">b</a>' in shown
    assert ">the map</a>" in shown
    assert "<img" not in shown
    assert "<td>1</td>" in shown


@pytest.mark.parametrize("text", ["[" * markdown.LONGEST, "![](" * (markdown.LONGEST // 4), "x" * 300_000])
def test_no_text_takes_long(text: str) -> None:
    assert text[:4] in markdown.markdown(text)


def test_members_see_each_version_and_what_changed(
    project: Project, lead: User, annotator: User, stranger: User, sign_in: SignIn
) -> None:
    for text in ("Read it.\nThen **decide**.", "Read it twice.\nThen **decide**."):
        projects.change_settings(project=project, changes={"guidelines": text}, by=lead)
    address = reverse("guidelines", args=[project.slug])
    page = sign_in(annotator).get(address, {"since": 2, "version": 3}).content.decode()
    assert "<del>− Read it.</del>" in page
    assert "<ins>+ Read it twice.</ins>" in page
    assert "lena" in page
    assert "<strong>decide</strong>" in sign_in(annotator).get(address, {"version": 2}).content.decode()
    assert sign_in(annotator).get(address, {"version": 9}).status_code == 404
    assert sign_in(stranger).get(address).status_code == 404
    for name in ("project", "label"):
        assert (
            "<strong>decide</strong>"
            in sign_in(lead).get(reverse(name, args=[project.slug])).content.decode()
        )


def test_texts_of_too_many_lines_are_not_compared(project: Project, lead: User) -> None:
    lines = "\n".join(map(str, range(versions.MOST_LINES)))
    old = versions.keep(project=project, by=lead)
    projects.change_settings(project=project, changes={"guidelines": lines + "\nend"}, by=lead)
    with pytest.raises(versions.Refused, match="too many"):
        versions.difference(old, project.guidelines_versions.get(number=2))
