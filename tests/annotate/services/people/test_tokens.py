from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from annotate.models import ApiKey, User
from annotate.services.people import api_keys


def test_a_secret_is_never_stored_in_clear(lead: User) -> None:
    _key, secret = api_keys.issue(user=lead, name="robot", scopes=["predict"])
    stored = " ".join(str(value) for row in ApiKey.objects.values() for value in row.values())
    assert secret not in stored
    assert secret.split("_", 2)[2] not in stored


def test_a_secret_finds_its_key_and_no_other(lead: User, annotator: User) -> None:
    key, secret = api_keys.issue(user=lead, name="one", scopes=["predict"])
    api_keys.issue(user=annotator, name="two", scopes=["predict"])
    assert api_keys.find(secret) == key
    assert api_keys.find(secret + "x") is None


def test_a_use_is_recorded_at_most_once_a_minute(lead: User) -> None:
    key, secret = api_keys.issue(user=lead, name="robot", scopes=[])
    api_keys.find(secret)
    key.refresh_from_db()
    first = key.last_used_at
    assert first is not None
    api_keys.find(secret)
    key.refresh_from_db()
    assert key.last_used_at == first
    ApiKey.objects.update(last_used_at=timezone.now() - timedelta(seconds=61))
    api_keys.find(secret)
    key.refresh_from_db()
    assert key.last_used_at is not None
    assert key.last_used_at >= first


def test_a_scope_that_does_not_exist_is_refused(lead: User) -> None:
    with pytest.raises(ValueError, match="everything"):
        api_keys.issue(user=lead, name="robot", scopes=["everything"])


def test_nobody_revokes_the_key_of_another(lead: User, stranger: User) -> None:
    key, secret = api_keys.issue(user=lead, name="robot", scopes=[])
    assert not api_keys.revoke(user=stranger, pk=key.pk)
    assert api_keys.find(secret) == key
