"""The second step of a login, from setting up an app to losing it, and what does not get around it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pyotp
import pytest
from axes.models import AccessAttempt
from django.contrib.sessions.models import Session
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from annotate.models import AuthenticatorApp, Event, Project, RecoveryCode, User
from annotate.services import sealing
from annotate.services.logins import second_factors
from annotate.services.people import invitations, password_links
from annotate.views.people import entry
from tests.conftest import PASSWORD

pytestmark = pytest.mark.one_database

SignIn = Callable[[User], Client]
SECOND_STEP = "/login/second-step/"
NOW = 1_800_000_000


class Clock:
    """Stands still until it is set."""

    def __init__(self) -> None:
        self.now = float(NOW)

    def time(self) -> float:
        return self.now


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(second_factors, "time", clock)
    monkeypatch.setattr(entry, "time", clock)
    return clock


@pytest.fixture
def app(lead: User) -> pyotp.TOTP:
    """An app that the lead has set up a while ago."""
    secret = second_factors.new_secret()
    AuthenticatorApp.objects.create(user=lead, sealed_secret=sealing.seal(secret))
    return pyotp.TOTP(secret)


def begin(client: Client | None = None, **fields: str) -> Client:
    browser = client or Client()
    answer = browser.post("/login/", {"username": "lena", "password": PASSWORD, **fields})
    assert answer["Location"] == SECOND_STEP
    return browser


def is_in(browser: Client) -> bool:
    return bool(browser.get("/account/").status_code == 200)


def wrong_for(app: pyotp.TOTP) -> str:
    right = {app.at(NOW + 30 * step) for step in range(-3, 4)}
    return next(code for code in ("000000", "111111", "222222", "333333") if code not in right)


def test_an_app_is_set_up_by_its_first_code_and_the_password(lead: User, sign_in: SignIn) -> None:
    browser, elsewhere = sign_in(lead), Client()
    elsewhere.post("/login/", {"username": "lena", "password": PASSWORD})
    page = browser.get("/account/second-factor/app/").content.decode()
    (shown,) = re.findall(r"<code>([A-Z2-7 ]+)</code>", page)
    secret = shown.replace(" ", "")
    assert browser.get("/account/second-factor/app/").content.decode().count(shown) == 1
    picture = browser.get("/account/second-factor/app/picture.svg")
    assert picture["Content-Type"] == "image/svg+xml"
    assert b"style" not in picture.content
    code = pyotp.TOTP(secret).at(NOW)
    refused = browser.post("/account/second-factor/app/", {"code": code, "password": "wrong"})
    assert refused.status_code == 422
    assert not AuthenticatorApp.objects.exists()
    done = browser.post("/account/second-factor/app/", {"code": code, "password": PASSWORD})
    codes = re.findall(r"<code>([0-9a-f]{8}-[0-9a-f]{8})</code>", done.content.decode())
    assert len(set(codes)) == second_factors.RECOVERY_CODES
    assert not is_in(elsewhere)
    assert is_in(browser)
    assert Event.objects.get(kind="second-factor-added").details == {"what": "app"}
    stored = AuthenticatorApp.objects.get().sealed_secret
    assert secret not in stored
    assert sealing.unseal(stored) == secret
    assert not any(secret in str(session.get_decoded()) for session in Session.objects.all())
    assert not RecoveryCode.objects.filter(digest__in=codes).exists()
    assert browser.get("/account/second-factor/app/picture.svg").status_code == 404


def test_a_wrong_first_code_sets_nothing_up(lead: User, sign_in: SignIn) -> None:
    fields = {"code": "12345", "password": PASSWORD}
    assert sign_in(lead).post("/account/second-factor/app/", fields).status_code == 422
    assert not AuthenticatorApp.objects.exists()


def test_the_password_alone_lets_nobody_in(lead: User, app: pyotp.TOTP) -> None:
    browser = begin()
    assert not is_in(browser)
    assert browser.get("/admin/").status_code == 302
    assert browser.post(SECOND_STEP, {"code": wrong_for(app)}).status_code == 422
    assert not is_in(browser)
    assert browser.post(SECOND_STEP, {"code": app.at(NOW)})["Location"] == "/projects/"
    assert is_in(browser)


def test_the_page_that_was_wanted_is_opened_and_none_of_another_site(lead: User, app: pyotp.TOTP) -> None:
    browser = begin(next="/glossary/")
    assert browser.post(SECOND_STEP, {"code": app.at(NOW)})["Location"] == "/glossary/"
    AuthenticatorApp.objects.update(last_step=0)
    elsewhere = begin(next="https://evil.example.com/")
    assert elsewhere.post(SECOND_STEP, {"code": app.at(NOW)})["Location"] == "/projects/"


def test_a_form_that_came_too_late_is_offered_after_the_second_step(lead: User, app: pyotp.TOTP) -> None:
    browser = Client()
    late = browser.post("/projects/new/", {"name": "Typed long"}, headers={"Sec-Fetch-Site": "same-origin"})
    hidden = dict(re.findall(r'name="(unsent-[a-z]+)" value="([^"]*)"', late.content.decode()))
    page = browser.post("/login/", {"username": "lena", "password": PASSWORD, **hidden})
    assert "Typed long" in page.content.decode()
    offered = browser.post(SECOND_STEP, {"code": app.at(NOW), **hidden})
    assert "Typed long" in offered.content.decode()
    assert is_in(browser)


@pytest.mark.parametrize(("steps", "works"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
def test_a_clock_may_be_one_step_off(steps: int, works: bool, lead: User, app: pyotp.TOTP) -> None:
    browser = begin()
    browser.post(SECOND_STEP, {"code": app.at(NOW + 30 * steps)})
    assert is_in(browser) is works


def test_no_code_works_twice_nor_one_of_before(lead: User, app: pyotp.TOTP, clock: Clock) -> None:
    begin().post(SECOND_STEP, {"code": app.at(NOW)})
    for seconds in (0, -30):
        again = begin()
        assert again.post(SECOND_STEP, {"code": app.at(NOW + seconds)}).status_code == 422
        assert not is_in(again)
    clock.now += 30
    later = begin()
    later.post(SECOND_STEP, {"code": app.at(clock.now)})
    assert is_in(later)


def test_of_two_who_send_one_code_at_once_one_gets_in(
    lead: User, app: pyotp.TOTP, monkeypatch: pytest.MonkeyPatch
) -> None:
    look_up = second_factors._step_of

    def and_somebody_is_faster(secret: str, code: str) -> int | None:
        step = look_up(secret, code)
        AuthenticatorApp.objects.update(last_step=step)
        return step

    monkeypatch.setattr(second_factors, "_step_of", and_somebody_is_faster)
    assert not second_factors.is_right(lead, app.at(NOW))


def test_a_recovery_code_works_once_however_it_is_typed(lead: User, app: pyotp.TOTP) -> None:
    code, *_others = second_factors.renew_codes(user=lead)
    browser = begin()
    browser.post(SECOND_STEP, {"code": f" {code.upper()} "})
    assert is_in(browser)
    assert begin().post(SECOND_STEP, {"code": code}).status_code == 422


def test_new_recovery_codes_take_the_password_and_end_the_others(
    lead: User, app: pyotp.TOTP, sign_in: SignIn
) -> None:
    former, *_others = second_factors.renew_codes(user=lead)
    browser = sign_in(lead)
    assert browser.post("/account/second-factor/codes/", {"password": "wrong"}).status_code == 422
    page = browser.post("/account/second-factor/codes/", {"password": PASSWORD}).content.decode()
    (first, *_rest) = re.findall(r"<code>([0-9a-f-]{17})</code>", page)
    assert not second_factors.is_right(lead, former)
    assert second_factors.is_right(lead, first)


def test_recovery_codes_without_a_factor_open_nothing(lead: User) -> None:
    code, *_others = second_factors.renew_codes(user=lead)
    assert not second_factors.is_right(lead, code)


def test_guesses_lock_the_door_as_wrong_passwords_do(lead: User, app: pyotp.TOTP, settings: Any) -> None:
    settings.AXES_FAILURE_LIMIT = 3
    browser = begin()
    answers = [browser.post(SECOND_STEP, {"code": wrong_for(app)}).status_code for _ in range(4)]
    assert answers == [422, 422, 429, 429]
    assert browser.post(SECOND_STEP, {"code": app.at(NOW)}).status_code == 429
    assert Client().post("/login/", {"username": "lena", "password": PASSWORD}).status_code == 429
    assert not is_in(browser)


def test_the_right_password_forgives_no_wrong_codes(lead: User, app: pyotp.TOTP, settings: Any) -> None:
    """Else whoever has the password would guess on and on, with a login between."""
    settings.AXES_FAILURE_LIMIT = 3
    for _number in range(2):
        begin().post(SECOND_STEP, {"code": wrong_for(app)})
    assert begin().post(SECOND_STEP, {"code": wrong_for(app)}).status_code == 429


def test_a_hundred_wrong_codes_however_slowly_shut_the_app(
    lead: User, app: pyotp.TOTP, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(second_factors, "MOST_WRONG", 2)
    code, *_others = second_factors.renew_codes(user=lead)
    for _number in range(2):
        begin().post(SECOND_STEP, {"code": wrong_for(app)})
        AccessAttempt.objects.all().delete()  # as after a while
    shut = begin().post(SECOND_STEP, {"code": app.at(NOW)})
    assert "Use a recovery code" in shut.content.decode()
    AccessAttempt.objects.all().delete()
    assert second_factors.is_right(lead, code)
    assert second_factors.is_right(lead, app.at(NOW))


def test_what_was_typed_for_a_code_or_a_password_is_not_kept(
    lead: User, app: pyotp.TOTP, sign_in: SignIn
) -> None:
    begin().post(SECOND_STEP, {"code": "notarightcode"})
    typed = {"old_password": "oldtyped", "new_password1": "newtyped!", "new_password2": "newtyped!"}
    sign_in(lead).post("/account/password/", typed)
    kept = " ".join(str(row.__dict__) for row in AccessAttempt.objects.all())
    assert "path_info" in kept
    assert not any(secret in kept for secret in ("notarightcode", "oldtyped", "newtyped!"))


def test_the_second_step_waits_ten_minutes(lead: User, app: pyotp.TOTP, clock: Clock) -> None:
    browser = begin()
    clock.now += 601
    assert browser.post(SECOND_STEP, {"code": app.at(clock.now)})["Location"] == "/login/"
    assert not is_in(browser)


@pytest.mark.parametrize(
    "meanwhile",
    [
        lambda user: user.set_password("another long one") or user.save(),
        lambda user: User.objects.update(is_active=False),
    ],
    ids=["a new password", "disabled"],
)
def test_what_ends_a_session_ends_the_way_in(
    meanwhile: Callable[[User], object], lead: User, app: pyotp.TOTP
) -> None:
    browser = begin()
    meanwhile(lead)
    assert browser.post(SECOND_STEP, {"code": app.at(NOW)})["Location"] == "/login/"


def test_nobody_goes_on_with_a_session_that_they_have_planted(lead: User, app: pyotp.TOTP) -> None:
    planted = Client()
    begin(planted)
    first = planted.cookies["sessionid"].value
    browser = Client()
    browser.cookies["sessionid"] = first
    begin(browser)
    second = browser.cookies["sessionid"].value
    browser.post(SECOND_STEP, {"code": app.at(NOW)})
    third = browser.cookies["sessionid"].value
    assert len({first, second, third}) == 3
    for known in (first, second):
        thief = Client()
        thief.cookies["sessionid"] = known
        assert not is_in(thief)


def test_a_link_for_a_new_password_does_not_get_around_it(lead: User, app: pyotp.TOTP) -> None:
    token, new = password_links.issue(user=lead, by=None), "another long sentence"
    browser = Client()
    browser.post(f"/password-link/{token}/", {"new_password1": new, "new_password2": new})
    assert not is_in(browser)
    assert browser.post("/login/", {"username": "lena", "password": new})["Location"] == SECOND_STEP


def test_the_app_is_removed_by_the_password(lead: User, app: pyotp.TOTP, sign_in: SignIn) -> None:
    second_factors.renew_codes(user=lead)
    browser = sign_in(lead)
    assert browser.post("/account/second-factor/app/remove/", {"password": "wrong"}).status_code == 422
    assert AuthenticatorApp.objects.exists()
    browser.post("/account/second-factor/app/remove/", {"password": PASSWORD})
    assert not AuthenticatorApp.objects.exists()
    assert not RecoveryCode.objects.exists()
    assert Event.objects.get(kind="second-factor-removed").by == lead
    assert Client().post("/login/", {"username": "lena", "password": PASSWORD})["Location"] == "/projects/"


def test_an_administrator_takes_a_lost_one_away_and_not_their_own(
    lead: User, app: pyotp.TOTP, admin_user: User, sign_in: SignIn
) -> None:
    AuthenticatorApp.objects.create(user=admin_user, sealed_secret="")
    lost, administrator = sign_in(lead), sign_in(admin_user)
    administrator.post(reverse("person-factor-remove", args=[admin_user.pk]))
    administrator.post(reverse("person-factor-remove", args=[lead.pk]))
    assert [row.user for row in AuthenticatorApp.objects.all()] == [admin_user]
    assert not is_in(lost)
    event = Event.objects.get(kind="second-factor-removed")
    assert (event.by, event.subject) == (admin_user, "lena")


def test_whoever_runs_the_site_takes_that_of_its_only_administrator_away(
    admin_user: User, capsys: pytest.CaptureFixture[str]
) -> None:
    AuthenticatorApp.objects.create(user=admin_user, sealed_secret="")
    call_command("take_second_factor", "admin")
    assert "by their password alone" in capsys.readouterr().out
    assert not second_factors.has_any(admin_user)
    for name in ("admin", "nobody"):
        with pytest.raises(CommandError):
            call_command("take_second_factor", name)


def test_secrets_of_another_secret_key_are_no_codes(lead: User, app: pyotp.TOTP, settings: Any) -> None:
    former = settings.SECRET_KEY
    settings.SECRET_KEY = "another one, of which nobody has told the app"
    assert not second_factors.is_right(lead, app.at(NOW))
    settings.SECRET_KEY_FALLBACKS = [former]
    assert second_factors.is_right(lead, app.at(NOW))


def test_the_admin_has_no_door_of_its_own(lead: User, app: pyotp.TOTP, sign_in: SignIn) -> None:
    User.objects.filter(pk=lead.pk).update(is_staff=True, is_superuser=True)
    fields = {"username": "lena", "password": PASSWORD}
    assert Client().post("/admin/login/", fields).status_code == 405
    assert Client().get("/admin/", follow=True).redirect_chain[-1][0] == "/login/?next=/admin/"
    browser = begin(next="/admin/")
    assert browser.post(SECOND_STEP, {"code": app.at(NOW)})["Location"] == "/admin/"
    assert browser.get("/admin/").status_code == 200
    assert browser.get("/admin/login/")["Location"] == "/admin/"


def test_who_is_no_administrator_is_not_sent_to_and_fro(annotator: User, sign_in: SignIn) -> None:
    assert sign_in(annotator).get("/admin/", follow=True).status_code == 404


def test_attempts_are_counted_from_the_first_step_on(lead: User, app: pyotp.TOTP) -> None:
    begin().post(SECOND_STEP, {"code": "1"})
    attempt = AccessAttempt.objects.get()
    assert (attempt.username, attempt.failures_since_start) == ("lena", 1)
    assert AuthenticatorApp.objects.get().wrong_in_a_row == 1


@pytest.fixture
def _everybody(settings: Any) -> None:
    settings.SECOND_FACTOR_REQUIRED = True


def begin_to_set_up(browser: Client, **fields: str) -> pyotp.TOTP:
    answer = browser.post("/login/", {"username": "lena", "password": PASSWORD, **fields})
    page = browser.get(answer["Location"]) if answer.status_code == 302 else answer
    (shown,) = re.findall(r"<code>([A-Z2-7 ]+)</code>", page.content.decode())
    return pyotp.TOTP(shown.replace(" ", ""))


@pytest.mark.usefixtures("_everybody")
def test_where_everybody_has_one_it_is_set_up_before_somebody_is_in(lead: User) -> None:
    browser = Client()
    app = begin_to_set_up(browser, next="/glossary/")
    assert not is_in(browser)
    assert browser.get("/account/second-factor/app/picture.svg").status_code == 200
    assert browser.post("/login/set-up/", {"code": "1"}).status_code == 422
    done = browser.post("/login/set-up/", {"code": app.at(NOW)})
    assert 'href="/glossary/"' in done.content.decode()
    assert len(re.findall(r"<code>[0-9a-f]{8}-", done.content.decode())) == second_factors.RECOVERY_CODES
    assert is_in(browser)
    refused = browser.post("/account/second-factor/app/remove/", {"password": PASSWORD})
    assert refused.status_code == 422
    assert AuthenticatorApp.objects.filter(user=lead).exists()


def test_a_session_of_before_ends_where_everybody_has_one_since(lead: User, settings: Any) -> None:
    browser = Client()
    browser.post("/login/", {"username": "lena", "password": PASSWORD})
    assert is_in(browser)
    settings.SECOND_FACTOR_REQUIRED = True
    late = browser.post("/projects/new/", {"name": "Typed long"}, headers={"Sec-Fetch-Site": "same-origin"})
    assert late.status_code == 403
    assert "Typed long" in late.content.decode()
    assert not is_in(browser)


def test_a_session_goes_on_in_which_one_was_set_up_before_everybody_had_to(lead: User, settings: Any) -> None:
    browser = Client()
    browser.post("/login/", {"username": "lena", "password": PASSWORD})
    page = browser.post("/account/second-factor/app/", {"password": PASSWORD}).content.decode()
    (shown,) = re.findall(r"<code>([A-Z2-7 ]+)</code>", page)
    code = pyotp.TOTP(shown.replace(" ", "")).at(NOW)
    browser.post("/account/second-factor/app/", {"password": PASSWORD, "code": code})
    assert AuthenticatorApp.objects.filter(user=lead).exists()
    settings.SECOND_FACTOR_REQUIRED = True
    assert is_in(browser)


@pytest.mark.usefixtures("_everybody")
def test_who_has_one_does_not_get_around_it_by_setting_up_another(lead: User, app: pyotp.TOTP) -> None:
    browser = begin()
    assert browser.get("/login/set-up/")["Location"] == "/login/"
    assert browser.post("/login/set-up/", {"code": app.at(NOW)})["Location"] == "/login/"
    assert not is_in(browser)


@pytest.mark.usefixtures("_everybody")
def test_what_was_typed_too_late_is_offered_after_setting_up(lead: User) -> None:
    browser = Client()
    late = browser.post("/projects/new/", {"name": "Typed long"}, headers={"Sec-Fetch-Site": "same-origin"})
    hidden = dict(re.findall(r'name="(unsent-[a-z]+)" value="([^"]*)"', late.content.decode()))
    app = begin_to_set_up(browser, **hidden)
    page = browser.post("/login/set-up/", {"code": app.at(NOW), **hidden}).content.decode()
    assert "Typed long" in page
    assert "recovery" in page.lower()


@pytest.mark.usefixtures("_everybody")
def test_a_secret_that_somebody_else_was_offered_is_not_offered_on(lead: User, annotator: User) -> None:
    """Else whoever plants their own session would know the codes of who logs in with it."""
    planted = Client()
    planted.post("/login/", {"username": "anton", "password": PASSWORD})
    first = planted.get("/login/set-up/").content.decode()
    victim = Client()
    victim.cookies["sessionid"] = planted.cookies["sessionid"].value
    app = begin_to_set_up(victim)
    assert app.secret not in first.replace(" ", "")


@pytest.mark.usefixtures("_everybody")
def test_who_is_invited_sets_one_up_first(project: Project, lead: User) -> None:
    ((_row, token),) = invitations.issue(project=project, by=lead, role="annotator", guests=["Ada"], days=7)
    browser, new = Client(), {"username": "ada", "password1": PASSWORD, "password2": PASSWORD}
    assert browser.post(f"/invitations/{token}/", new)["Location"] == "/login/set-up/"
    assert not is_in(browser)


def test_what_a_session_held_before_a_login_is_gone_with_it(lead: User) -> None:
    browser = Client()
    session = browser.session
    session["new_app_secret"] = {"user": lead.pk, "sealed": sealing.seal("planted")}
    session.save()
    browser.cookies["sessionid"] = session.session_key
    browser.post("/login/", {"username": "lena", "password": PASSWORD})
    assert is_in(browser)
    assert "new_app_secret" not in browser.session
