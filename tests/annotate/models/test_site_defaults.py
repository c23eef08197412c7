from __future__ import annotations

from annotate.models import Project
from training.cli.simulate import SITE_DEFAULTS


def test_a_simulation_with_the_defaults_of_the_site_has_those_of_a_new_project() -> None:
    project = Project()
    for share in ("random_share", "novel_share", "holdout_share"):
        assert SITE_DEFAULTS[share] == getattr(project, share)
    assert (SITE_DEFAULTS["seed_labels"], SITE_DEFAULTS["batch"]) == (project.batch_size,) * 2
