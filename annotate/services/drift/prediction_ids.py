"""The id of a prediction: it says by itself what was predicted of which text, and nobody else can make one.

So no prediction needs a row, however many there are, and feedback to one that was never made is refused.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import struct
from binascii import Error as Base64Error
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

from django.conf import settings
from django.core.signing import b64_decode, b64_encode
from django.utils import timezone
from django.utils.crypto import salted_hmac

from annotate.models import Project
from annotate.services.versions.predictions import Predictions
from training.types import Answer, Span

# Project, version's number, seconds since 1970, the text's SHA-256, and what tells equal predictions apart:
# something random of their request, and the text's place in it.
HEAD = struct.Struct(">IIQ32s4sH")
SEAL = 16  # bytes of the HMAC
MOST_SAID = 1_000  # bytes of an answer: one with hundreds of labels gets no id
LONGEST = 2_000  # characters


class UnknownPrediction(Exception):
    """The id is not one of this site's, or not of this project."""


@dataclass(frozen=True, slots=True)
class PredictionName:
    """What an id says."""

    digest: str
    version: int
    predicted_at: datetime
    sha256: str
    said: Answer


def issue(project: Project, texts: Sequence[str], said: Predictions) -> list[str | None]:
    """Return the id of each text's prediction; None for an answer too long to be part of one."""
    key, now, of_request = _key(), int(timezone.now().timestamp()), secrets.token_bytes(4)
    found: list[str | None] = []
    for place, (text, one) in enumerate(zip(texts, said.texts, strict=True)):
        answer = _written(one.answer.labels, one.answer.spans)
        if len(answer) > MOST_SAID:
            found.append(None)
            continue
        digest = hashlib.sha256(text.encode("utf-8", "replace")).digest()
        body = HEAD.pack(project.pk, said.version, now, digest, of_request, place) + answer
        found.append(b64_encode(body + _seal(key, body)).decode())
    return found


@lru_cache(maxsize=1024)
def _written(labels: tuple[int | str, ...], spans: tuple[Span, ...]) -> bytes:
    """Return an answer as it stands in an id. Kept, as many texts get the same one."""
    places = [[span.start, span.end, span.label] for span in spans]
    return json.dumps([labels, places], separators=(",", ":")).encode()


def read(project: Project, name: str) -> PredictionName:
    """Return what an id of this project says. Raises `UnknownPrediction`."""
    try:
        sealed = b64_decode(name.encode())
    except (Base64Error, UnicodeError, ValueError) as error:
        raise UnknownPrediction from error
    body, seal = sealed[:-SEAL], sealed[-SEAL:]
    if len(body) < HEAD.size or not hmac.compare_digest(_seal(_key(), body), seal):
        raise UnknownPrediction
    of_project, version, seconds, digest, *_apart = HEAD.unpack_from(body)
    if of_project != project.pk:
        raise UnknownPrediction
    labels, spans = json.loads(body[HEAD.size :])
    return PredictionName(
        digest=hashlib.sha256(body).hexdigest(),
        version=version,
        predicted_at=datetime.fromtimestamp(seconds, UTC),
        sha256=digest.hex(),
        said=Answer(tuple(labels), tuple(Span(*place) for place in spans)),
    )


def _key() -> bytes:
    return _derived(settings.SECRET_KEY)


@lru_cache(maxsize=2)
def _derived(secret: str) -> bytes:
    return salted_hmac("winnow.prediction", "id", secret=secret, algorithm="sha256").digest()


def _seal(key: bytes, body: bytes) -> bytes:
    return hmac.digest(key, body, "sha256")[:SEAL]
