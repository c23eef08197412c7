"""Sweepers of files: each starts from what lies on the disk and asks the database who needs it.

What is there is always listed before the rows are read: what appears in between is not looked at, and what
was recorded in between is found. A sweeper returns how many files or folders it removed.
"""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

from django.conf import settings
from django.contrib.staticfiles.storage import ManifestFilesMixin
from django.db.models import Q
from django.utils import timezone

from annotate.models import Export, Import, ModelVersion, Project, Restoration, TrainingRun
from annotate.models.imports import UPLOADED
from annotate.models.work import LIVE_STATES
from annotate.services.exports import job as export_job
from annotate.services.runs import encoders, scratch
from annotate.services.work import limits, workers

FILE_KEPT = timedelta(days=30)  # of an import that is over, or that nobody has started
STATIC_KEPT = timedelta(days=1)  # what a page may still ask for that was open when the site was updated
COMPRESSED = re.compile(r"\.(br|gz)$")
# A bundle, its draft, and one that stepped aside, as `training.bundles` and `runs.plan` name them.
BUNDLE = re.compile(r"\.?run-(?P<run>\d+)-(?P<token>\d+)(\.[0-9a-f]+)?")
ASIDE = re.compile(r"\.old\..+")


def untouched_seconds() -> float:
    """Return for how long a file has to lie still to belong to no work: twice the longest silence of any."""
    longest = max(limits.SILENT_SECONDS.values()) * limits.SLOW
    return 2 * longest * float(settings.STAGE_LIMIT_FACTOR)


def bundles(untouched: float) -> int:
    """Remove bundles and drafts of attempts that are over and that no version has."""
    found = [path for folder in _folders(settings.BUNDLE_ROOT) for path in folder.iterdir()]
    # NB: first the runs that are alive, then the versions: a run is alive until its version is recorded.
    live = set(TrainingRun.objects.live().values_list("pk", "token"))
    recorded = set(ModelVersion.objects.exclude(bundle="").values_list("bundle", flat=True))
    removed = 0
    for path in found:
        name = BUNDLE.fullmatch(path.name)
        is_ours = name is not None or ASIDE.fullmatch(path.name) is not None
        is_live = name is not None and (int(name["run"]), int(name["token"])) in live
        if is_ours and not is_live and f"{path.parent.name}/{path.name}" not in recorded:
            removed += _remove(path, untouched)
    projects = set(map(str, Project.objects.values_list("pk", flat=True)))
    for folder in _folders(settings.BUNDLE_ROOT):
        if folder.name.isdigit() and folder.name not in projects:
            with suppress(OSError):  # it is not empty
                folder.rmdir()
    return removed


def encoder_drafts(untouched: float) -> int:
    """Remove what exports that were killed have left, and the notes of encoders that are gone."""
    root = Path(settings.ENCODER_ROOT)
    drafts = [path for pattern in (".export-*", ".tuned-*", "*.tmp") for path in root.glob(pattern)]
    notes = [path for path in root.glob("*.json") if not (root / _note(path)["fingerprint"]).is_dir()]
    return sum(_remove(path, untouched) for path in [*drafts, *notes])


def tuned_encoders(untouched: float) -> int:
    """Remove encoders that a run has tuned and that no version reads, with their vectors."""
    root = Path(settings.ENCODER_ROOT)
    found = {
        note["fingerprint"]
        for note in map(_note, root.glob("*.json"))
        if Path(note["name"]).is_relative_to(settings.SCRATCH_ROOT) and (root / note["fingerprint"]).is_dir()
    }
    if encoders.is_tuning():
        return 0
    kept = set(ModelVersion.objects.exclude(bundle="").values_list("encoder", flat=True))
    over = [name for name in found - kept if _is_untouched(root / name, untouched)]
    for name in over:
        encoders.remove(name)
    return len(over)


def scratch_folders(untouched: float) -> int:
    """Remove the folders of runs that are over."""
    return scratch.sweep()


def uploads(untouched: float) -> int:
    """Remove files that no row has, and after a month those of imports that are over or never begun."""
    root = Path(settings.MEDIA_ROOT)
    found = [path for path in root.rglob("*") if path.is_file()]
    before = timezone.now() - FILE_KEPT
    Import.objects.filter(state=UPLOADED, created_at__lt=before).delete()
    over = Import.objects.exclude(state__in=[UPLOADED, *LIVE_STATES]).filter(finished_at__lt=before)
    needed = set(Import.objects.exclude(pk__in=over).values_list("file", flat=True))
    needed.update(Export.objects.values_list("file", flat=True))
    needed.update(Restoration.objects.values_list("file", flat=True))
    return sum(_remove(path, untouched) for path in found if str(path.relative_to(root)) not in needed)


def exports(untouched: float) -> int:
    """Remove exports that are kept no longer, and those that failed as long ago."""
    now = timezone.now()
    ended = Export.objects.exclude(state__in=LIVE_STATES)
    over = ended.filter(Q(expires_at__lt=now) | Q(expires_at=None, finished_at__lt=now - export_job.KEPT_FOR))
    for export in over:
        export_job.remove(export)
    return len(over)


def worker_files(untouched: float) -> int:
    """Remove the files of processes that are dead; those of living ones are locked."""
    found = [path for path in workers.folder().glob("*") if workers.is_dead(path.name)]
    return sum(_remove(path, untouched) for path in found)


def temporary_files(untouched: float) -> int:
    """Remove what processes had put aside for a moment when they were killed, half an upload as well."""
    return sum(_remove(path, untouched) for path in Path(settings.TEMPORARY_ROOT).glob("*"))


def static_files(untouched: float) -> int:
    """Remove what earlier versions of the site showed, a day after another version was put in their place.

    Until then pages that were open still find it. Without a list of what is shown, nothing is removed.
    """
    root = Path(settings.STATIC_ROOT)
    listed = root / ManifestFilesMixin.manifest_name
    try:
        shown = json.loads(listed.read_text("utf-8"))["paths"]
        seconds = time.time() - listed.stat().st_mtime
    except (OSError, ValueError, KeyError):
        return 0
    if seconds < STATIC_KEPT.total_seconds():
        return 0
    needed = {listed.name, *shown.keys(), *shown.values()}
    found = [path for path in root.rglob("*") if path.is_file() and not path.name.startswith(".")]
    names = {path: str(path.relative_to(root)) for path in found}
    over = [path for path, name in names.items() if needed.isdisjoint([name, COMPRESSED.sub("", name)])]
    return sum(_remove(path, untouched) for path in over)


def _folders(root: Path) -> Iterator[Path]:
    return (path for path in Path(root).glob("*") if path.is_dir())


def _note(path: Path) -> dict[str, str]:
    """Read the note beside an encoder; one that cannot be read names nothing."""
    try:
        content = json.loads(path.read_text("utf-8"))
        return {"name": str(content["name"]), "fingerprint": str(content["fingerprint"])}
    except (OSError, ValueError, KeyError, TypeError):
        return {"name": "", "fingerprint": "-"}


def _is_untouched(path: Path, seconds: float) -> bool:
    """Tell whether nothing in a file or folder has changed for so long; False where it is gone."""
    try:
        newest = max(one.lstat().st_mtime for one in (path, *path.rglob("*")))
    except OSError:  # somebody is at it
        return False
    return time.time() - newest >= seconds


def _remove(path: Path, untouched: float) -> int:
    if not _is_untouched(path, untouched):
        return 0
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
    return int(not path.exists())
