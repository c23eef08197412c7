from __future__ import annotations

from http import HTTPStatus

from rest_framework.exceptions import APIException


class Problem(APIException):
    """An error that is raised by hand: a status, a code, a sentence, and the place in the request if any."""

    def __init__(self, status: HTTPStatus, code: str, detail: str, pointer: str = "") -> None:
        super().__init__(detail, code)
        self.status_code, self.pointer = status, pointer
