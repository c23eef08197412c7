"""Ask an OpenAI-compatible endpoint, with limits on time and size, and again where that may help."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from urllib.parse import urlsplit

import httpx

from training.llm.errors import (
    Away,
    Dropped,
    Garbled,
    LlmError,
    RateLimited,
    RequestRejected,
    ServerFailed,
    TooSlow,
    Unusable,
)
from training.llm.gate import Gate
from training.llm.waiting import asked_for
from training.storable import DECODER, printable
from training.types import Json, TrainingError

Message = Mapping[str, str]  # "role" and "content"

DEFAULTS: Mapping[str, Json] = MappingProxyType({"temperature": 0, "max_tokens": 300})
# The number of threads limits the connections.
_NO_LIMIT = httpx.Limits(max_connections=None, max_keepalive_connections=None)
_PASSING = (408, 409, 425)
_THIS_ONE = (400, 413, 422)
_MOST_TOKENS = 10**9  # of one answer; whoever counts more counts something else
_LARGEST_ANSWER = 1_000_000  # bytes; labels take a few hundred
_QUOTED = 200  # characters of an endpoint's error message that are shown


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where questions go. `url` ends before `/chat/completions`; seconds; waits double from `first_wait`.

    `options` are the further fields of a request, such as `temperature`; None leaves a field out.
    """

    url: str
    model: str
    key: str = field(default="", repr=False)
    timeout: float = 30.0
    attempts: int = 4
    first_wait: float = 1.0
    longest_wait: float = 60.0
    options: Mapping[str, Json] = field(default_factory=lambda: DEFAULTS)

    def __post_init__(self) -> None:
        try:
            httpx.URL(self.url)  # it refuses more than the checks below, for example impossible ports
            parts = urlsplit(self.url)
        except (httpx.InvalidURL, ValueError):
            parts = urlsplit("")
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise TrainingError("The endpoint must be an address such as https://host/v1.")
        if parts.username or parts.password or parts.query:
            raise TrainingError("The endpoint's address must hold no password or query; give the key apart.")
        if not self.model:
            raise TrainingError("Name the model that the endpoint is to answer with.")
        if not self.key.isascii() or any(not sign.isprintable() or sign == " " for sign in self.key):
            raise TrainingError("The endpoint's key holds a space, a line break or a letter beyond ASCII.")
        if self.attempts < 1 or self.timeout <= 0:
            raise TrainingError("Allow an endpoint at least one attempt, and more than 0 seconds for it.")


@dataclass(frozen=True, slots=True)
class Completion:
    """An endpoint's answer; tokens are None where it does not count them."""

    text: str
    refusal: str
    is_cut: bool
    input_tokens: int | None
    output_tokens: int | None
    seconds: float


Attempt = Callable[[], Completion]


class Chat:
    """Connections that are kept between questions, for any number of threads; use it as a context manager."""

    def __init__(
        self, endpoint: Endpoint, *, gate: Gate | None = None, rng: random.Random | None = None
    ) -> None:
        self.endpoint = endpoint
        self._gate = gate or Gate()
        self._rng = rng or random.Random()
        key = {"Authorization": f"Bearer {endpoint.key}"} if endpoint.key else {}
        self._http = httpx.Client(
            headers=key, timeout=endpoint.timeout, limits=_NO_LIMIT, follow_redirects=False
        )

    def __enter__(self) -> Chat:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def stop(self) -> None:
        """Send no further question from any thread, and end the waits before a question is repeated."""
        self._gate.close()

    def ask(
        self,
        messages: Sequence[Message],
        schema: Json,
        charge: Callable[[Attempt], Completion] = lambda attempt: attempt(),
    ) -> Completion:
        """Return the answer; raises an `LlmError` once repeating it has not helped or cannot help.

        Each attempt goes through `charge`, which calls it and may count its cost or refuse it.
        """
        attempts, earliest = 0, float("-inf")

        def attempt() -> Completion:
            self._gate.wait(earliest)  # once more, as `charge` may have waited for long
            return self._once(messages, schema)

        while True:
            self._gate.wait(earliest)
            try:
                return charge(attempt)
            except LlmError as error:
                attempts += 1
                if not error.may_pass or attempts == self.endpoint.attempts:
                    raise
                if error.after > self.endpoint.longest_wait:
                    raise RateLimited(
                        f"{self._who()} asks to wait for {error.after:,.0f} seconds, longer than "
                        f"{self.endpoint.longest_wait:,.0f}. Go on later: answers so far are kept."
                    ) from error
                # Waits double, with jitter, so that many clients do not come back at once.
                backoff = min(self.endpoint.first_wait * 2 ** (attempts - 1), self.endpoint.longest_wait)
                seconds = max(error.after, backoff * self._rng.uniform(0.5, 1.0))
                earliest = self._gate.clock() + seconds
                # An endpoint that asks one thread to wait means all of them.
                if isinstance(error, RateLimited) or error.after:
                    self._gate.rest_until(earliest)

    def _once(self, messages: Sequence[Message], schema: Json) -> Completion:
        started = time.monotonic()
        try:
            status, headers, body = self._post(messages, schema, started + self.endpoint.timeout)
        except (httpx.ConnectTimeout, httpx.ConnectError) as error:
            why = self._safe(str(error)) or "no connection in time"
            raise Away(f"{self._who()} cannot be reached ({why}). Is it running?") from None
        except httpx.TimeoutException:
            raise TooSlow(f"{self._who()} did not answer within {self.endpoint.timeout:g} seconds.") from None
        except (httpx.NetworkError, httpx.RemoteProtocolError) as error:
            raise Dropped(f"{self._who()} broke the connection ({self._safe(str(error))}).") from None
        except httpx.DecodingError as error:
            raise Garbled(f"{self._who()} sent what cannot be read ({self._safe(str(error))}).") from None
        except httpx.HTTPError as error:
            raise Unusable(f"{self._who()} cannot be asked: {self._safe(str(error))}.") from None
        if status == 200:
            return self._read(body, time.monotonic() - started)
        try:
            complaint = str(DECODER.decode(body.decode("utf-8-sig"))["error"]["message"])
        except (ValueError, LookupError, TypeError, RecursionError):
            complaint = body.decode("utf-8", "replace")
        said, after = self._safe(complaint), asked_for(headers.get("Retry-After", ""))
        if status == 429:
            raise RateLimited(f"{self._who()} is busy (HTTP {status}): {said}", after)
        if status >= 500 or status in _PASSING:
            raise ServerFailed(f"{self._who()} failed (HTTP {status}): {said}", after)
        if status in (401, 403):
            raise Unusable(f"{self._who()} refuses the key (HTTP {status}): {said} Check the key.")
        kind = RequestRejected if status in _THIS_ONE else Unusable
        raise kind(f"{self._who()} does not take the request (HTTP {status}): {said}")

    def _post(
        self, messages: Sequence[Message], schema: Json, deadline: float
    ) -> tuple[int, httpx.Headers, bytes]:
        wanted = {"name": "answer", "strict": True, "schema": schema}
        shape = {"type": "json_schema", "json_schema": wanted}  # an option, as not every endpoint knows it
        options = {"response_format": shape, **self.endpoint.options}
        told = {name: value for name, value in options.items() if value is not None}
        request = {"model": self.endpoint.model, "messages": list(messages), **told}
        url = f"{self.endpoint.url.rstrip('/')}/chat/completions"
        with self._http.stream("POST", url, json=request) as response:
            body = bytearray()
            # NB: the connection's timeout starts anew with each byte, so a slow trickle needs a deadline.
            for chunk in response.iter_bytes():
                body += chunk
                if time.monotonic() > deadline:
                    raise httpx.ReadTimeout("the answer trickled in")
                if len(body) > _LARGEST_ANSWER:
                    raise Garbled(f"{self._who()} sent more than {_LARGEST_ANSWER:,} bytes.")
            return response.status_code, response.headers, bytes(body)

    def _read(self, body: bytes, seconds: float) -> Completion:
        try:
            content = DECODER.decode(body.decode("utf-8-sig"))
            choice = content["choices"][0]
            message, usage = choice["message"], content.get("usage") or {}
            # A content filter withholds an answer in place of a refusal of the model's own.
            is_filtered = choice.get("finish_reason") == "content_filter"
            return Completion(
                text=_text(message.get("content")),
                refusal=_text(message.get("refusal")) or ("content filter" if is_filtered else ""),
                is_cut=choice.get("finish_reason") == "length",
                input_tokens=_count(usage.get("prompt_tokens")),
                output_tokens=_count(usage.get("completion_tokens")),
                seconds=seconds,
            )
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
            raise Garbled(
                f"{self._who()} answered with something that is no chat completion. Does the address "
                "end where /chat/completions begins?"
            ) from None

    def _who(self) -> str:
        return f"The endpoint {self.endpoint.url}"

    def _safe(self, said: str) -> str:
        """Return an endpoint's text on one line that can be stored, without the key that it may repeat."""
        if self.endpoint.key:
            said = said.replace(self.endpoint.key, "[key]")
        return printable(" ".join(said.split())[:_QUOTED])


def _text(value: Json) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise TypeError("a message is text")
    return value


def _count(value: Json) -> int | None:
    is_count = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MOST_TOKENS
    return value if is_count else None
