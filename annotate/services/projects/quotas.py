"""How much one person may add in a day, so that a stolen account or a script that runs wild fills no disk."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.utils import timezone
from django.utils.translation import ngettext

from annotate.models import Import, Mail, Project, User
from annotate.services.projects.refused import Refused

DAY = timedelta(days=1)


def check_projects(by: User) -> None:
    """Raise `Refused` where `by` has made as many projects in the last day as one may.

    Call it in the transaction that makes the next one: it holds the person's row, so that two are not made
    at once.
    """
    User.objects.select_for_update(no_key=True).get(pk=by.pk)
    most = settings.PROJECTS_PER_DAY
    if Project.objects.filter(created_by=by, created_at__gt=timezone.now() - DAY).count() >= most:
        sentence = ngettext(
            "You may make %(most)d project a day. Wait, or ask whoever runs this site for more.",
            "You may make %(most)d projects a day. Wait, or ask whoever runs this site for more.",
            most,
        )
        raise Refused(sentence % {"most": most})


def check_uploads(by: User) -> None:
    """Raise `Refused` where `by` has uploaded as many files in the last day as one may, into all projects."""
    most = settings.UPLOADS_PER_DAY
    if Import.objects.filter(user=by, created_at__gt=timezone.now() - DAY).count() >= most:
        sentence = ngettext(
            "You may upload %(most)d file a day. Wait, or ask whoever runs this site for more.",
            "You may upload %(most)d files a day. Wait, or ask whoever runs this site for more.",
            most,
        )
        raise Refused(sentence % {"most": most})


def check_mails(by: User, number: int) -> None:
    """Raise `Refused` where `number` more mails are more than `by` may have sent in a day.

    Whoever makes a project chooses its name and whom to invite, which must not make the site send to anybody.
    Call it in the transaction that asks for them.
    """
    User.objects.select_for_update(no_key=True).get(pk=by.pk)
    most = settings.MAILS_PER_DAY
    asked = Mail.objects.filter(asked_by=by, created_at__gt=timezone.now() - DAY).count()
    if asked + number > most:
        sentence = ngettext(
            "You may have %(most)d mail sent a day. Wait, or ask whoever runs this site for more.",
            "You may have %(most)d mails sent a day. Wait, or ask whoever runs this site for more.",
            most,
        )
        raise Refused(sentence % {"most": most})
