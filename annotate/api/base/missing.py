from __future__ import annotations

from typing import NoReturn

from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.views import APIView


@extend_schema(exclude=True)
class MissingView(APIView):
    """Answers for every unknown address under the API, whoever asks."""

    authentication_classes = []
    permission_classes = []

    def initial(self, request: Request, *args: object, **kwargs: object) -> NoReturn:
        raise NotFound(_("The API has nothing at this address; /api/v1/docs lists what it has."))
