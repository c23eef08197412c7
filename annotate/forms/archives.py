"""Bringing an archive, and making a project from another one."""

from __future__ import annotations

from django import forms
from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from annotate.models import Project


class ArchiveForm(forms.Form):
    file = forms.FileField(label=gettext_lazy("Archive (ZIP)"))

    def clean_file(self) -> UploadedFile[bytes]:
        file: UploadedFile[bytes] = self.cleaned_data["file"]
        if (file.size or 0) > settings.IMPORT_MAX_BYTES:
            most = settings.IMPORT_MAX_BYTES // 1024**2
            sentence = _(
                "The file is larger than %(most)s MB. Whoever runs this site can restore it by "
                "manage.py restore_project."
            )
            raise forms.ValidationError(sentence % {"most": f"{most:,}"})
        return file


class DuplicateForm(forms.Form):
    name = forms.CharField(label=gettext_lazy("Name"), max_length=200)
    slug = forms.SlugField(
        label=gettext_lazy("Short name"),
        max_length=50,
        help_text=gettext_lazy("Part of the project's address."),
    )
    documents = forms.BooleanField(
        label=gettext_lazy("With its documents, each in the same lane"), required=False
    )

    def __init__(self, data: object = None, *, project: Project) -> None:
        copied = _("%(name)s (copy)") % {"name": project.name}
        initial = {"name": copied[:200], "slug": f"{project.slug[:45]}-copy"}
        super().__init__(data, initial=initial, label_suffix="")  # type: ignore[arg-type]
