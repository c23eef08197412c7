"""The cache in Redis: values are JSON, and where Redis is away nothing is in the cache."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

from django.core.cache.backends.redis import RedisCache, RedisCacheClient

from annotate.outages.breaker import REDIS


class JsonSerializer:
    """Writes values as JSON, so that nothing that lies in Redis is ever run as code, as a pickle would be."""

    def dumps(self, value: object) -> bytes | int:
        if type(value) is int:  # Redis counts with these itself
            return value
        return json.dumps(value, ensure_ascii=False, allow_nan=False).encode()

    def loads(self, stored: bytes) -> Any:
        return json.loads(stored)


class ForgettingClient(RedisCacheClient):
    """NB: nothing that has to be true may be kept here: what is deleted during an outage comes back."""

    def add(self, key: Any, value: Any, timeout: Any) -> bool:
        return REDIS.attempt(partial(super().add, key, value, timeout), False)

    def get(self, key: Any, default: Any) -> Any:
        return REDIS.attempt(partial(super().get, key, default), default)

    def set(self, key: Any, value: Any, timeout: Any) -> None:
        REDIS.attempt(partial(super().set, key, value, timeout), None)

    def touch(self, key: Any, timeout: Any) -> bool:
        return REDIS.attempt(partial(super().touch, key, timeout), False)

    def delete(self, key: Any) -> bool:
        return REDIS.attempt(partial(super().delete, key), False)

    def get_many(self, keys: Any) -> dict[Any, Any]:
        return REDIS.attempt(partial(super().get_many, keys), {})

    def has_key(self, key: Any) -> bool:
        return REDIS.attempt(partial(super().has_key, key), False)

    def incr(self, key: Any, delta: Any) -> Any:
        """Count; a key that is not there is a `ValueError`, as in every cache of Django's."""
        counted: int | None = REDIS.attempt(partial(super().incr, key, delta), None)
        if counted is None:
            raise ValueError(f"There is no counter {key}.")
        return counted

    def set_many(self, data: Any, timeout: Any) -> None:
        REDIS.attempt(partial(super().set_many, data, timeout), None)

    def delete_many(self, keys: Any) -> None:
        REDIS.attempt(partial(super().delete_many, keys), None)

    def clear(self) -> bool:
        return REDIS.attempt(super().clear, False)


class ForgettingCache(RedisCache):
    def __init__(self, server: str, params: dict[str, Any]) -> None:
        super().__init__(server, params)
        self._class = ForgettingClient
