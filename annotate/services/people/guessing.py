"""How many wrong passwords are taken before the door stays shut for a while."""

from __future__ import annotations

from typing import Any

from axes.attempts import get_cool_off_threshold
from axes.handlers.database import AxesDatabaseHandler
from axes.helpers import get_client_username
from axes.models import AccessAttempt
from django.db.models import Q, Sum
from django.http import HttpRequest

# One address may belong to a whole office, and one account to somebody whom many know: both get more tries.
OF_AN_ADDRESS = 5
OF_AN_ACCOUNT = 10


class GuessLimit(AxesDatabaseHandler):  # type: ignore[misc]
    """Counts wrong passwords of the last minutes in three ways; axes compares the result with one limit.

    One account from one address has the limit itself. All accounts from one address together have
    `OF_AN_ADDRESS` times as many, against one password tried on many names; one account from all addresses
    has `OF_AN_ACCOUNT` times as many, against many machines that try one name.
    """

    def get_failures(self, request: HttpRequest, credentials: dict[str, Any] | None = None) -> int:
        here = Q(ip_address=request.axes_ip_address)  # type: ignore[attr-defined]
        account = Q(username=get_client_username(request, credentials))
        recent = AccessAttempt.objects.filter(attempt_time__gte=get_cool_off_threshold(request))
        found = recent.aggregate(
            both=Sum("failures_since_start", filter=here & account, default=0),
            here=Sum("failures_since_start", filter=here, default=0),
            account=Sum("failures_since_start", filter=account, default=0),
        )
        return int(max(found["both"], found["here"] // OF_AN_ADDRESS, found["account"] // OF_AN_ACCOUNT))
