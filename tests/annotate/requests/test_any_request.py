"""Whatever is sent to whichever address: never an answer that says that the site failed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from http import HTTPStatus
from typing import Any
from uuid import UUID

import pytest
from django.conf import settings as django_settings
from django.core.files.base import ContentFile
from django.db import transaction
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from drf_spectacular.generators import SchemaGenerator
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from annotate import tasks
from annotate.models import Annotation, Document, Import, ModelVersion, Project, TrainingRun, User
from annotate.models.imports import UPLOADED
from annotate.models.jobs import Job, JobKind
from annotate.services.people import api_keys
from annotate.services.people.api_keys import Scope

FAILED = HTTPStatus.INTERNAL_SERVER_ERROR
METHODS = ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "TRACE"]
HUGE = "9" * 30
ENDLESS = "9" * 5000
KNOWN = {"slug": "colours", "format": "jsonl", "kind": "jsonl", "key": str(UUID(int=1))}


def routes(patterns: Any = None, before: str = "/") -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each address of the site but those of the admin, which is Django's own."""
    for pattern in get_resolver().url_patterns if patterns is None else patterns:
        route = before + str(pattern.pattern)
        if isinstance(pattern, URLResolver) and not route.startswith("/admin"):
            yield from routes(pattern.url_patterns, route)
        elif isinstance(pattern, URLPattern) and "^" not in route:
            yield route, pattern.pattern.converters


ROUTES = dict(routes())


def filled(route: str, **values: object) -> str:
    """Write an address with each part as given, else as it is in the world of these tests."""
    for name in ROUTES[route]:
        start = route.index("<")
        value = values.get(name, KNOWN.get(name, 1))
        route = f"{route[:start]}{value}{route[route.index('>') + 1 :]}"
    return route


@pytest.fixture
def world(
    project: Project,
    lead: User,
    add_documents: Callable[..., list[Document]],
    monkeypatch: pytest.MonkeyPatch,
) -> Project:
    """Make one of each thing that an address may name, with the number 1 where it counts in its project."""
    monkeypatch.setattr(tasks, "send", lambda kind, pk: None)
    # What is refused as one request too many is not looked at.
    monkeypatch.setattr(django_settings, "API_REQUESTS_PER_MINUTE", 10**9)
    monkeypatch.setattr(django_settings, "API_TEXTS_PER_MINUTE", 10**9)
    (document,) = add_documents(project, "a text")
    Annotation.objects.create(pk=1, project=project, document=document, annotator=lead, outcome="skipped")
    TrainingRun.objects.create(pk=1, project=project, family="tfidf", reason="lead")
    Job.objects.create(pk=1, project=project, kind=JobKind.VECTORS)
    upload = Import(pk=1, project=project, name="mine.csv", state=UPLOADED, user=lead)
    upload.file.save("mine.csv", ContentFile(b"text,label\na,red\nb,green\n"))
    ModelVersion.objects.create(project=project, number=1, family="tfidf", labelled=2, holdout_documents=0)
    return project


@dataclass
class Browser:
    """Somebody who sends anything: nobody in particular, a lead by session, or a program by token."""

    client: Client
    failures: list[str] = field(default_factory=list)

    def send(self, method: str, address: str, *args: Any, **options: Any) -> Any:
        # What one request changes is gone before the next.
        with transaction.atomic():
            response = self.client.generic(method, address, *args, **options)
            if response.streaming:
                b"".join(response)
            transaction.set_rollback(True)
        if response.status_code >= FAILED:
            self.failures.append(f"{method} {address[:200]} {str(args)[:300]} -> {response.status_code}")
        return response


@pytest.fixture(params=["nobody", "lead", "program"])
def browser(request: pytest.FixtureRequest, world: Project, lead: User) -> Browser:
    client = Client(raise_request_exception=False)
    if request.param == "lead":
        client.force_login(lead)
    if request.param == "program":
        _key, secret = api_keys.issue(user=lead, name="x", scopes=Scope.values)
        client = Client(headers={"authorization": f"Bearer {secret}"}, raise_request_exception=False)
    return Browser(client)


@pytest.fixture
def lead_browser(world: Project, lead: User) -> Browser:
    client = Client(raise_request_exception=False)
    client.force_login(lead)
    return Browser(client)


def test_there_are_addresses_to_try() -> None:
    assert len(ROUTES) > 45


@pytest.mark.one_database
def test_no_method_fails_on_any_address(browser: Browser) -> None:
    for route in ROUTES:
        for method in METHODS:
            browser.send(method, filled(route))
    assert browser.failures == []


ASKED = ("p", "q", "before", "cursor", "limit", "lane", "label", "external_id", "back", "next", "shown")
ODD = ("abc", "NaN", "-1", HUGE, ENDLESS, "%00", "%ff%fe", "%", "%zz", "%ED%A0%BD", "1e999", "[]")
TOGETHER = ["&".join(f"{name}={value}" for name in ASKED) for value in ODD]
TOGETHER += ["%00=%00", "&&&=", "everything=%00", "columns=1&columns=%00"]
# One refusal would keep the next value from being looked at.
ALONE_ON_SITE, ALONE_ON_API = (
    [f"{name}={value}" for name in names for value in ODD]
    for names in (("q", "back"), ("q", "limit", "external_id"))
)


def test_no_query_fails_on_any_address(browser: Browser) -> None:
    for route in ROUTES:
        # An address that shows nothing without a query has none to look at.
        is_shown = browser.send("GET", filled(route)).status_code == HTTPStatus.OK
        alone = ALONE_ON_API if route.startswith("/api/") else ALONE_ON_SITE
        for query in TOGETHER + alone * is_shown:
            browser.send("GET", filled(route), QUERY_STRING=query)
    assert browser.failures == []


@pytest.mark.parametrize("number", ["0", str(2**31), str(2**63), HUGE, ENDLESS])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_number_that_no_row_has_is_not_found(browser: Browser, method: str, number: str) -> None:
    for route, parts in ROUTES.items():
        numbers = {name: number for name, kind in parts.items() if type(kind).__name__ == "IntConverter"}
        if numbers:
            response = browser.send(method, filled(route, **numbers))
            assert response.status_code in {302, 401, 403, 404, 405}, route
    assert browser.failures == []


@pytest.mark.parametrize(
    "slug", ["-", "_", "a" * 5000, "%00", "%ff", "..%2f", "%", "ü", "colours%20", "Colours"]
)
def test_an_odd_slug_is_not_found(browser: Browser, slug: str) -> None:
    for route, parts in ROUTES.items():
        if "slug" in parts:
            response = browser.send("GET", filled(route, slug=slug))
            assert response.status_code in {302, 401, 404, 405}, route
    assert browser.failures == []


class Fields(HTMLParser):
    """The forms of a page: where each goes, and its fields with what stands in them."""

    def __init__(self, page: str, address: str) -> None:
        super().__init__()
        self.forms: list[tuple[str, dict[str, str]]] = []
        self.address, self.option_of = address, ""
        self.by_id: dict[str, dict[str, str]] = {}
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag == "form" and values.get("method") == "post":
            self.forms.append((values.get("action") or self.address, {}))
            self.by_id[values.get("id", "")] = self.forms[-1][1]
        if not self.forms:
            return
        form = self.by_id.get(values.get("form", ""), self.forms[-1][1])
        if tag in {"input", "textarea", "button"} and values.get("name"):
            form.setdefault(values["name"], values.get("value", ""))
        if tag == "select":
            self.option_of = values.get("name", "")
            form.setdefault(self.option_of, "")
        if tag == "option" and (not form.get(self.option_of) or "selected" in values):
            form[self.option_of] = values.get("value", "")


HOSTILE = [
    "\0", "a\0b", "\u200b\u200d", " ", "1e999", "NaN", "Infinity", "-Infinity", "1e305", "-1", HUGE, ENDLESS,
    "x" * 300, "x" * 1_000_000, "ü\u202e\ufeff", "\r\n\r\n", "'\"<>", "[]", '{"a": 1}', "1" * 4000, "٣",
]  # fmt: skip


WORST = ["a\0b", "1e305", "1" * 4000, "\u200b"]


def forms(browser: Browser) -> list[tuple[str, dict[str, str]]]:
    found = []
    for route in ROUTES:
        page = browser.client.get(filled(route))
        if page.status_code == 200 and page["Content-Type"].startswith("text/html"):
            found += Fields(page.content.decode(), filled(route)).forms
    return found


def test_no_value_of_any_field_of_a_form_fails(lead_browser: Browser) -> None:
    found = forms(lead_browser)
    assert len({address for address, _fields in found}) > 12
    for address, values in found:
        if address == "/logout/":
            continue
        names = [*values, "labels", "next", "card", "role", "family"]
        tries = [dict.fromkeys(names, value) for value in HOSTILE]
        # One at a time as well, as a form that refuses a field never reaches what takes the others.
        tries += [{**values, name: value} for name in names for value in WORST]
        for sent in tries:
            if _post(lead_browser, address, sent).status_code >= FAILED:
                lead_browser.failures.append(f"{address} {str(sent)[:300]}")
    assert lead_browser.failures == []


def _post(browser: Browser, address: str, sent: Mapping[str, str]) -> Any:
    with transaction.atomic():
        response = browser.client.post(address, sent)
        transaction.set_rollback(True)
    return response


DISPOSITION = b"--x\r\nContent-Disposition: form-data; "
BODIES = [
    ("application/x-www-form-urlencoded", b"name=%ff%fe&slug=%00&labels=%"),
    ("application/x-www-form-urlencoded", b"\xff\xfe\x00=\x00"),
    ("application/x-www-form-urlencoded", b"&".join(b"a=1" for _ in range(1500))),
    ("application/x-www-form-urlencoded; charset=utf-16", b"name=x"),
    ("application/x-www-form-urlencoded; charset=rot13", b"name=x"),
    ("application/x-www-form-urlencoded; charset=hex", b"name=x"),
    ("multipart/form-data", b"name=x"),
    ("multipart/form-data; boundary=", b"--\r\n"),
    ("multipart/form-data; boundary=x", b"--y\r\n"),
    (
        "multipart/form-data; boundary=x",
        b'--x\r\nContent-Disposition: form-data; name="name"\r\n\r\n\xff\x00',
    ),
    (
        "multipart/form-data; boundary=x",
        DISPOSITION + b'name="file"; filename="a\x00.csv"\r\n\r\ntext\na\n\r\n--x--\r\n',
    ),
    (
        "multipart/form-data; boundary=x",
        DISPOSITION + b'name="file"; filename="\xff.csv"\r\n\r\ntext\na\n\r\n--x--\r\n',
    ),
    (
        "multipart/form-data; boundary=x",
        b'--x\r\nContent-Disposition: form-data; name="file"; filename="'
        + b"a" * 400
        + b'.csv"\r\n\r\ntext\na\n\r\n--x--\r\n',
    ),
    (
        "multipart/form-data; boundary=x; charset=rot13",
        b'--x\r\nContent-Disposition: form-data; name="name"\r\n\r\nx\r\n--x--\r\n',
    ),
    ("application/json", b"[" * 100_000),
    ("application/json; charset=rot13", b"{}"),
    ("application/json; charset=hex", b"{}"),
    ("application/json; charset=utf-16", b"{}"),
    ("", b"\xff"),
    ("\xff/\0", b"{}"),
]


@pytest.mark.one_database
@pytest.mark.parametrize(("kind", "body"), BODIES)
def test_no_body_fails_on_any_address(browser: Browser, kind: str, body: bytes) -> None:
    for route in ROUTES:
        browser.send("POST", filled(route), body, kind)
    for address in ("/login/", "/projects/colours/documents/", "/api/v1/projects"):
        browser.send("GET", address, body, kind)
    assert browser.failures == []


@pytest.mark.one_database
@pytest.mark.parametrize(
    "name",
    [
        "HTTP_USER_AGENT",
        "HTTP_ACCEPT_LANGUAGE",
        "HTTP_AUTHORIZATION",
        "HTTP_REFERER",
        "HTTP_ORIGIN",
        "HTTP_ACCEPT",
        "HTTP_X_FORWARDED_FOR",
        "HTTP_HX_REQUEST",
    ],
)
@pytest.mark.parametrize("value", ["\0", "\xff", "x" * 5000, "Bearer \xff", "Bearer winnow_\0"])
def test_no_header_fails(browser: Browser, name: str, value: str) -> None:
    for address in (
        "/login/",
        "/projects/",
        "/api/v1/projects",
        "/api/v1/docs",
        "/projects/colours/imports/",
    ):
        browser.send("GET", address, **{name: value})
        browser.send(
            "POST", address, "username=lena&password=x", "application/x-www-form-urlencoded", **{name: value}
        )
    assert browser.failures == []


def operations() -> list[tuple[str, list[str]]]:
    """Return each address of the API that takes a body, with its fields, as the API describes itself."""
    schema = SchemaGenerator().get_schema(request=None, public=True)
    shapes = schema["components"]["schemas"]
    found = []
    for address, item in schema["paths"].items():
        for method in {"post", "put", "patch"} & set(item):
            content = item[method].get("requestBody", {}).get("content", {}).get("application/json", {})
            shape = content.get("schema", {}).get("$ref", "").rpartition("/")[2]
            names = list(shapes.get(shape, {}).get("properties", {}))
            found.append((address.replace("{slug}", "colours").replace("{number}", "1"), names))
    return found


LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(st.characters(), max_size=6),
    st.sampled_from(["\ud83d", "\0", "red", 10**30, 10**4000, "answered", str(UUID(int=1))]),
    st.sampled_from([1, "a text", "\u200b"]),
)  # fmt: skip
NAMES = st.sampled_from(["text", "meta", "labels", "external_id", "\ud83d", "\0", "a"])
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=10,
)
DOCUMENTS = st.lists(
    st.fixed_dictionaries(
        {"text": LEAVES}, optional={"meta": VALUES, "labels": VALUES, "external_id": LEAVES}
    ),
    max_size=3,
)


def test_the_api_describes_addresses_that_take_a_body() -> None:
    counts = {len(names) for _address, names in operations()}
    assert counts >= {0, 1, 4}
    assert max(counts) > 6


@settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_no_json_fails_on_any_address_of_the_api(world: Project, lead: User, data: st.DataObject) -> None:
    with transaction.atomic():
        _key, secret = api_keys.issue(user=lead, name="x", scopes=Scope.values)
        browser = Browser(
            Client(headers={"authorization": f"Bearer {secret}"}, raise_request_exception=False)
        )
        for address, names in operations():
            fields = {name: DOCUMENTS | VALUES if name == "documents" else VALUES for name in names}
            body = data.draw(st.fixed_dictionaries({}, optional=fields) | VALUES)
            browser.send("POST", address, _written(body), "application/json")
        transaction.set_rollback(True)
    assert browser.failures == []


def _written(body: Any) -> bytes:
    return json.dumps(body).replace("NaN", "1e999").encode()
