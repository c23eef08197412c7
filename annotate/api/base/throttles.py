"""How much one token may ask for in a minute: one counter in the cache per token and minute."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from django.conf import settings
from django.core.cache import cache
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from annotate.models import ApiKey

if TYPE_CHECKING:
    # NB: imported for types only: the body of `APIView` loads this module, which the settings name.
    from rest_framework.views import APIView

WINDOW = 60


class RequestThrottle(BaseThrottle):
    kind = "requests"

    def limit(self) -> int:
        return int(settings.API_REQUESTS_PER_MINUTE)

    def cost(self, request: Request) -> int:
        return 1

    def allow_request(self, request: Request, view: APIView) -> bool:
        if not isinstance(request.auth, ApiKey):
            return True
        window = int(time.time()) // WINDOW
        return spend(f"api:{self.kind}:{request.auth.pk}:{window}", self.cost(request)) <= self.limit()

    def wait(self) -> float:
        return WINDOW - time.time() % WINDOW + 1


class TextThrottle(RequestThrottle):
    """Counts texts, not requests: a thousand texts in one request cost as much as a thousand requests."""

    kind = "texts"

    def limit(self) -> int:
        return int(settings.API_TEXTS_PER_MINUTE)

    def cost(self, request: Request) -> int:
        texts = request.data.get("texts") if isinstance(request.data, Mapping) else None
        return max(1, len(texts)) if isinstance(texts, list) else 1


def spend(key: str, cost: int) -> int:
    """Add to a counter that ends with its minute, and return its new value.

    Nothing is counted while Redis is away: a program is rather answered too often than not at all.
    """
    for _attempt in range(2):
        try:
            return int(cache.incr(key, cost))
        except ValueError:
            cache.add(key, 0, timeout=2 * WINDOW)
    return cost
