from __future__ import annotations

from http import HTTPStatus

from rest_framework.exceptions import APIException


class Problem(APIException):
    """An error that a view raises by hand: a status, a code and a sentence."""

    def __init__(self, status: HTTPStatus, code: str, detail: str) -> None:
        super().__init__(detail, code)
        self.status_code = status
