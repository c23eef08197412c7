"""One question to an OpenAI-compatible endpoint: bounded in time and size, repeated where that may help."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from urllib.parse import urlsplit

import httpx

from training.llm.errors import Garbled, LlmError, RateLimited, ServerFailed, TooSlow, Unusable
from training.llm.waiting import asked_for
from training.types import Json, TrainingError

Message = Mapping[str, str]  # "role" and "content"

DEFAULTS: Mapping[str, Json] = MappingProxyType({"temperature": 0, "max_tokens": 300})
_BUSY = (408, 409, 425, 429)
_LARGEST_ANSWER = 1_000_000  # bytes; labels take a few hundred
_QUOTED = 200  # characters of an endpoint's own complaint


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
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise TrainingError("The endpoint must be an address such as https://host/v1.")
        if parts.username or parts.password or parts.query:
            raise TrainingError("The endpoint's address must hold no password or query; give the key apart.")
        if not self.model:
            raise TrainingError("Name the model that the endpoint is to answer with.")


@dataclass(frozen=True, slots=True)
class Completion:
    """An endpoint's answer; tokens are None where it does not count them."""

    text: str
    refusal: str
    is_cut: bool
    input_tokens: int | None
    output_tokens: int | None
    seconds: float


class Chat:
    """A connection that is kept between questions; use it as a context manager."""

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        sleep: Callable[[float], None] = time.sleep,
        rng: random.Random | None = None,
    ) -> None:
        self.endpoint = endpoint
        self._sleep = sleep
        self._rng = rng or random.Random()
        key = {"Authorization": f"Bearer {endpoint.key}"} if endpoint.key else {}
        self._http = httpx.Client(headers=key, timeout=endpoint.timeout, follow_redirects=False)

    def __enter__(self) -> Chat:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def ask(self, messages: Sequence[Message], schema: Json) -> Completion:
        """Return the answer; raises an `LlmError` once repeating it has not helped or cannot help."""
        for attempt in range(self.endpoint.attempts):
            try:
                return self._once(messages, schema)
            except _Again as again:
                if attempt + 1 == self.endpoint.attempts:
                    raise again.reason from None
                self._sleep(self._wait(attempt, again))
        raise Unusable("At least one attempt must be allowed.")

    def _wait(self, attempt: int, again: _Again) -> float:
        """Return the seconds to wait: doubling, with jitter so that many clients do not come back at once."""
        if again.after > self.endpoint.longest_wait:
            raise RateLimited(
                f"{self._who()} asks to wait for {again.after:,.0f} seconds, longer than "
                f"{self.endpoint.longest_wait:,.0f}. Go on later: answers so far are kept."
            ) from again.reason
        backoff: float = min(self.endpoint.first_wait * 2**attempt, self.endpoint.longest_wait)
        return max(again.after, backoff * self._rng.uniform(0.5, 1.0))

    def _once(self, messages: Sequence[Message], schema: Json) -> Completion:
        started = time.monotonic()
        try:
            status, headers, body = self._post(messages, schema, started + self.endpoint.timeout)
        except httpx.TimeoutException:
            late = TooSlow(f"{self._who()} did not answer within {self.endpoint.timeout:g} seconds.")
            raise _Again(late) from None
        except (httpx.ConnectError, httpx.RemoteProtocolError, httpx.ReadError) as error:
            away = Unusable(f"{self._who()} cannot be reached ({self._safe(str(error))}). Is it running?")
            raise _Again(away) from None
        except httpx.HTTPError as error:
            raise Unusable(f"{self._who()} cannot be asked: {self._safe(str(error))}.") from None
        if status != 200:
            raise self._failure(status, headers, body)
        return self._read(body, time.monotonic() - started)

    def _post(
        self, messages: Sequence[Message], schema: Json, deadline: float
    ) -> tuple[int, httpx.Headers, bytes]:
        options = {name: value for name, value in self.endpoint.options.items() if value is not None}
        request = {"model": self.endpoint.model, "messages": list(messages), **options}
        wanted = {"name": "answer", "strict": True, "schema": schema}
        request["response_format"] = {"type": "json_schema", "json_schema": wanted}
        url = f"{self.endpoint.url.rstrip('/')}/chat/completions"
        with self._http.stream("POST", url, json=request) as response:
            body = bytearray()
            # NB: a timeout of the connection starts anew with each byte; a trickle needs a deadline.
            for chunk in response.iter_bytes():
                body += chunk
                if time.monotonic() > deadline:
                    raise httpx.ReadTimeout("the answer trickled in")
                if len(body) > _LARGEST_ANSWER:
                    raise Garbled(f"{self._who()} sent more than {_LARGEST_ANSWER:,} bytes.")
            return response.status_code, response.headers, bytes(body)

    def _failure(self, status: int, headers: httpx.Headers, body: bytes) -> Exception:
        said = self._safe(_complaint(body))
        if status in _BUSY:
            after = asked_for(headers.get("Retry-After", ""))
            return _Again(RateLimited(f"{self._who()} is busy (HTTP {status}): {said}"), after)
        if status >= 500:
            after = asked_for(headers.get("Retry-After", ""))
            return _Again(ServerFailed(f"{self._who()} failed (HTTP {status}): {said}"), after)
        if status in (401, 403):
            return Unusable(f"{self._who()} refuses the key (HTTP {status}): {said} Check the key.")
        return Unusable(f"{self._who()} does not take the request (HTTP {status}): {said}")

    def _read(self, body: bytes, seconds: float) -> Completion:
        try:
            content = json.loads(body)
            choice = content["choices"][0]
            message, usage = choice["message"], content.get("usage") or {}
            return Completion(
                text=_text(message.get("content")),
                refusal=_text(message.get("refusal")),
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
        """Return a foreign text on one line, without the key that an endpoint may repeat in it."""
        if self.endpoint.key:
            said = said.replace(self.endpoint.key, "[key]")
        return " ".join(said.split())[:_QUOTED]


class _Again(Exception):
    """An attempt that failed in a way that may pass; `after` is the wait that the endpoint asked for."""

    def __init__(self, reason: LlmError, after: float = 0.0) -> None:
        self.reason = reason
        self.after = after
        super().__init__(str(reason))


def _complaint(body: bytes) -> str:
    try:
        return str(json.loads(body)["error"]["message"])
    except (ValueError, LookupError, TypeError, RecursionError):
        return body.decode("utf-8", "replace")


def _text(value: Json) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise TypeError("a message is text")
    return value


def _count(value: Json) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
