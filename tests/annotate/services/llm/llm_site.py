"""A site whose LLM is the server of the LLM's own tests; modules that need it import its fixtures."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.core.cache import cache

from annotate.models import Document, Project
from annotate.services.labeling import queue
from tests.training.llm.conftest import KEY, Server, labels

Add = Callable[..., list[Document]]


@pytest.fixture(autouse=True)
def configured(server: Server, settings: Any) -> None:
    settings.LLM_URL, settings.LLM_MODEL, settings.LLM_API_KEY = server.url, "small", KEY
    settings.LLM_INPUT_PRICE, settings.LLM_OUTPUT_PRICE = 1.0, 10.0
    server.plan = [labels("green")]
    cache.clear()


@pytest.fixture
def asking(project: Project, add_documents: Add) -> Project:
    """A project whose queue holds three pool documents and a holdout one."""
    add_documents(project, "leaf", "moss", "lime")
    add_documents(project, "grass", lane="holdout")
    project.llm_budget = 100_000
    project.save()
    queue.top_up(project=project)
    return project
