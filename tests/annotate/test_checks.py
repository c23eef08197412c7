"""Each setting that would not work is named once, with what to do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.core.checks import run_checks

from training.registry import FAMILIES, Family, Option

GOOD = {
    "DEBUG": False,
    "SECRET_KEY": "k" * 50,
    "ALLOWED_HOSTS": ["localhost"],
    "HTTPS": False,
    "SECURE_PROXY_SSL_HEADER": None,
    "CSRF_TRUSTED_ORIGINS": [],
    "REDIS_URL": "redis://localhost:6379/0",
}
MAIL = {
    "EMAIL_HOST": "mail.example.org",
    "EMAIL_HOST_PASSWORD": "secret",
    "EMAIL_USE_TLS": True,
    "DEFAULT_FROM_EMAIL": "Winnow <winnow@example.org>",
    "SITE_URL": "https://localhost",
}
OIDC = {
    "OIDC_ISSUER": "https://accounts.example.org",
    "OIDC_CLIENT_ID": "winnow",
    "OIDC_CLIENT_SECRET": "secret",
    "SITE_URL": "https://localhost",
}
HTTPS_BY_PROXY = {"HTTPS": True, "SECURE_PROXY_SSL_HEADER": ("HTTP_X_FORWARDED_PROTO", "https")}


@pytest.fixture
def found(settings: Any, tmp_path: Path) -> Any:
    """Return a function that gives the ids of our checks that speak, for good settings with some changed."""

    def run(**changed: Any) -> list[str]:
        for name, value in {**GOOD, "HOME": tmp_path, **changed}.items():
            setattr(settings, name, value)
        ours = [message for message in run_checks() if str(message.id).startswith("annotate.")]
        assert all(message.hint for message in ours)
        return [str(message.id) for message in ours]

    return run


def test_good_settings_are_silent(found: Any) -> None:
    assert found() == []
    assert found(**MAIL) == []
    assert found(**OIDC) == []
    assert found(**HTTPS_BY_PROXY, CSRF_TRUSTED_ORIGINS=["https://label.example.org"]) == []


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"SECRET_KEY": "short"}, "annotate.W001"),
        ({**MAIL, "DEFAULT_FROM_EMAIL": "Winnow"}, "annotate.E013"),
        ({**MAIL, "SITE_URL": ""}, "annotate.E014"),
        ({**OIDC, "OIDC_ISSUER": "http://accounts.example.org"}, "annotate.E016"),
        ({**OIDC, "OIDC_CLIENT_SECRET": ""}, "annotate.E017"),
        ({**OIDC, "SITE_URL": ""}, "annotate.E018"),
        ({**OIDC, "OIDC_SIGN_UP": True}, "annotate.W019"),
        ({**MAIL, "SITE_URL": "https://localhost/winnow"}, "annotate.E014"),
        ({**MAIL, "SITE_URL": "https://elsewhere.example.org"}, "annotate.E014"),
        ({**MAIL, "EMAIL_USE_TLS": False}, "annotate.W015"),
        ({"ALLOWED_HOSTS": []}, "annotate.E002"),
        ({"HTTPS": True}, "annotate.W003"),
        (HTTPS_BY_PROXY, "annotate.W004"),
        ({"REDIS_URL": "amqp://localhost"}, "annotate.E006"),
        ({"REDIS_URL": "localhost:6379"}, "annotate.E006"),
        ({"CHECKPOINTS": ["some/e5", "tuned"]}, "annotate.E009"),
    ],
)
def test_it_names(changed: dict[str, Any], expected: str, found: Any) -> None:
    assert found(**changed) == [expected]


def test_it_names_a_database_that_nobody_tried(
    found: Any, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(settings.DATABASES["default"], "ENGINE", "django.db.backends.mysql")
    assert found() == ["annotate.E005"]


@pytest.mark.parametrize(
    ("traits", "expected"),
    [
        ({"options": (Option("teacher", "Teacher", (("strict", "Strict"),)),)}, "annotate.E010"),
        ({"path": "training.families.no_such.model:Toy"}, "annotate.E011"),
        ({"path": "training.families.shared.no_such:Toy"}, "annotate.E011"),
    ],
)
def test_it_names_a_family_that_does_not_fit_the_site(
    traits: dict[str, Any], expected: str, found: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = {"path": "training.registry:Family", "help": "It is a toy."}
    monkeypatch.setitem(FAMILIES, "toy", Family("toy", "Toy", **good))
    assert found() == []
    monkeypatch.setitem(FAMILIES, "toy", Family("toy", "Toy", **good | traits))
    assert found() == [expected]


def test_it_names_a_home_that_is_a_file(found: Any, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    assert found(HOME=tmp_path / "taken") == ["annotate.E007"]
    assert found(HOME=tmp_path / "taken" / "below") == ["annotate.E007"]


def test_a_home_that_will_be_made_is_fine(found: Any, tmp_path: Path) -> None:
    assert found(HOME=tmp_path / "not" / "yet") == []
