from __future__ import annotations

from django.contrib import admin
from django.contrib.auth.views import LogoutView
from django.urls import URLPattern, URLResolver, include, path
from django.views.generic import RedirectView

from annotate.views import (
    account,
    api_keys,
    deletion,
    events,
    glossary,
    imports,
    overview,
    project_file,
    projects,
    runs,
)
from annotate.views.documents import bulk, document, saved_views, similar
from annotate.views.documents import table as documents
from annotate.views.exports import archives
from annotate.views.exports import page as exports
from annotate.views.labeling import explanation, work_lists
from annotate.views.labeling import page as labeling
from annotate.views.people import (
    accounts,
    addresses,
    entry,
    invitations,
    members,
    outside_login,
    passkeys,
    password_links,
    second_factor,
)
from annotate.views.scheme import dictionary, guidelines, labels
from annotate.views.versions import comparison, drift, reportcard, shares, thresholds
from annotate.views.versions import page as versions

urlpatterns: list[URLPattern | URLResolver] = [
    path("admin/login/", entry.of_administrators),
    path("admin/logout/", LogoutView.as_view()),
    path("admin/", admin.site.urls),
    path("account/", account.account, name="account"),
    path("account/sessions/end/", account.end_other_sessions, name="account-sessions-end"),
    path("account/sessions/<int:pk>/end/", account.end_session, name="account-session-end"),
    path("account/address/", addresses.address, name="account-address"),
    path("account/password/", account.password, name="account-password"),
    path("account/second-factor/", second_factor.overview, name="second-factor"),
    path("account/second-factor/app/", second_factor.add_app, name="second-factor-app"),
    path("account/second-factor/app/picture.svg", second_factor.picture, name="second-factor-picture"),
    path("account/second-factor/app/remove/", second_factor.remove_app, name="second-factor-app-remove"),
    path("account/second-factor/codes/", second_factor.renew_codes, name="second-factor-codes"),
    path("account/second-factor/passkey/", passkeys.add, name="passkey-new"),
    path("account/second-factor/passkey/<int:pk>/remove/", passkeys.remove, name="passkey-remove"),
    path("account/outside-login/", outside_login.connection, name="outside-login-connection"),
    path("account/waiting/", account.waiting, name="account-waiting"),
    path("account/kept/", account.kept, name="account-kept"),
    path("account/keys/", api_keys.keys, name="api-keys"),
    path("account/keys/<int:pk>/revoke/", api_keys.revoke, name="api-key-revoke"),
    path("api/v1/", include("annotate.api.urls")),
    path("events/", events.site_events, name="events"),
    path("events/csv/", events.site_events_csv, name="events-csv"),
    path("glossary/", glossary.words, name="glossary"),
    path("login/passkey/", passkeys.enter, name="passkey"),
    path("login/other/", outside_login.start, name="outside-login"),
    path("login/other/back/", outside_login.back, name="outside-login-back"),
    path("login/set-up/", entry.set_up_first, name="second-factor-first"),
    path("login/second-step/", entry.second_step, name="second-step"),
    path("login/forgotten/", password_links.forgotten, name="password-forgotten"),
    path("password-link/<str:token>/", password_links.password_link, name="password-link"),
    path("address-link/<str:token>/", addresses.address_link, name="address-link"),
    path("people/", accounts.people, name="people"),
    path("people/<int:pk>/", accounts.person, name="person"),
    path("people/<int:pk>/disable/", accounts.disable, name="person-disable"),
    path("people/<int:pk>/enable/", accounts.enable, name="person-enable"),
    path("people/<int:pk>/second-factor/remove/", accounts.take_second_factor, name="person-factor-remove"),
    path("people/<int:pk>/password-link/", accounts.make_password_link, name="person-password-link"),
    path("login/", entry.EnterView.as_view(), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("projects/<slug:slug>/label/", labeling.label, name="label"),
    path("projects/<slug:slug>/label/ahead/", labeling.fill, name="label-ahead"),
    path("projects/<slug:slug>/label/pulse/", labeling.pulse, name="label-pulse"),
    path("projects/<slug:slug>/label/release/", labeling.release, name="label-release"),
    path("projects/<slug:slug>/label/hand-on/", labeling.hand_on, name="label-hand-on"),
    path("projects/<slug:slug>/label/examples/<int:pk>/", explanation.examples, name="label-examples"),
    path("projects/<slug:slug>/drift/", drift.page, name="drift"),
    path("projects/<slug:slug>/drift/csv/", drift.windows_csv, name="drift-csv"),
    path("projects/<slug:slug>/drift/settings/", drift.change, name="drift-settings"),
    path("projects/<slug:slug>/drift/snooze/", drift.snooze, name="drift-snooze"),
    path("projects/<slug:slug>/drift/alarms/<int:pk>/seen/", drift.seen, name="drift-alarm-seen"),
    path("projects/<slug:slug>/drift/alarms/<int:pk>/usual/", drift.usual, name="drift-alarm-usual"),
    path("projects/<slug:slug>/label/history/", explanation.history, name="label-history"),
    path("projects/<slug:slug>/lists/<int:pk>/", work_lists.work_list, name="work-list"),
    path("projects/<slug:slug>/lists/<int:pk>/people/", work_lists.change_people, name="work-list-people"),
    path("projects/<slug:slug>/my-work/", explanation.my_work, name="my-work"),
    path("projects/<slug:slug>/label/why/<uuid:key>/", explanation.why, name="label-why"),
    path("", RedirectView.as_view(pattern_name="projects"), name="home"),
    path("projects/", projects.project_list, name="projects"),
    path("projects/new/", projects.create, name="project-create"),
    path("projects/new/file/", project_file.upload, name="project-from-file"),
    path("restore/", archives.restore, name="project-restore"),
    path("restore/<int:pk>/", archives.restoration, name="restoration"),
    path("projects/<slug:slug>/duplicate/", archives.duplicate, name="project-duplicate"),
    path("projects/<slug:slug>/", overview.project, name="project"),
    path("projects/<slug:slug>/live/", overview.live, name="project-live"),
    path("projects/<slug:slug>/settings/", projects.settings, name="project-settings"),
    path("projects/<slug:slug>/delete/", deletion.project, name="project-delete"),
    path("projects/<slug:slug>/guidelines/", guidelines.guidelines, name="guidelines"),
    path("projects/<slug:slug>/labels/", labels.labels, name="project-labels"),
    path("projects/<slug:slug>/labels/dictionary/", dictionary.dictionary, name="project-dictionary"),
    path("projects/<slug:slug>/label/dictionary/", dictionary.entries, name="label-dictionary"),
    path("projects/<slug:slug>/labels/add/", labels.add_labels, name="project-labels-add"),
    path("projects/<slug:slug>/labels/order/", labels.order_labels, name="project-labels-order"),
    path("projects/<slug:slug>/labels/<int:pk>/", labels.label, name="project-label"),
    path("projects/<slug:slug>/labels/<int:pk>/merge/", labels.merge_label, name="project-label-merge"),
    path("projects/<slug:slug>/labels/<int:pk>/archive/", labels.archive_label, name="project-label-archive"),
    path("projects/<slug:slug>/labels/<int:pk>/restore/", labels.restore_label, name="project-label-restore"),
    path("projects/<slug:slug>/members/", members.members, name="project-members"),
    path("invitations/<str:token>/", invitations.invitation, name="invitation"),
    path("projects/<slug:slug>/invite/", invitations.invite, name="project-invite"),
    path(
        "projects/<slug:slug>/invitations/<int:pk>/revoke/",
        invitations.revoke,
        name="project-invitation-revoke",
    ),
    path("projects/<slug:slug>/invitations/<int:pk>/send/", invitations.send, name="project-invitation-send"),
    path("projects/<slug:slug>/members/<int:pk>/", members.change_member, name="project-member"),
    path("projects/<slug:slug>/members/<int:pk>/remove/", members.remove_member, name="member-remove"),
    path(
        "projects/<slug:slug>/members/<int:pk>/restore/",
        members.restore_member,
        name="member-restore",
    ),
    path("projects/<slug:slug>/events/", events.project_events, name="project-events"),
    path("projects/<slug:slug>/events/csv/", events.project_events_csv, name="project-events-csv"),
    path("projects/<slug:slug>/documents/", documents.documents, name="documents"),
    path("projects/<slug:slug>/documents/views/", saved_views.views, name="saved-views"),
    path(
        "projects/<slug:slug>/documents/views/<int:pk>/rename/", saved_views.rename, name="saved-view-rename"
    ),
    path(
        "projects/<slug:slug>/documents/views/<int:pk>/delete/", saved_views.delete, name="saved-view-delete"
    ),
    path("projects/<slug:slug>/documents/bulk/", bulk.bulk_new, name="bulk-new"),
    path("projects/<slug:slug>/documents/bulk/<int:pk>/", bulk.bulk, name="bulk"),
    path("projects/<slug:slug>/documents/bulk/<int:pk>/undo/", bulk.undo, name="bulk-undo"),
    path("projects/<slug:slug>/documents/bulk/<int:pk>/stop/", bulk.stop, name="bulk-stop"),
    path("projects/<slug:slug>/documents/<int:pk>/", document.document, name="document"),
    path("projects/<slug:slug>/similar/", similar.to_phrase, name="similar"),
    path("projects/<slug:slug>/documents/<int:pk>/similar/", similar.to_document, name="document-similar"),
    path("projects/<slug:slug>/documents/<int:pk>/delete/", deletion.document, name="document-delete"),
    path("projects/<slug:slug>/documents/<int:pk>/answer/", document.answer, name="document-answer"),
    path("projects/<slug:slug>/documents/<int:pk>/hand-to/", document.hand_to, name="document-hand-to"),
    path("projects/<slug:slug>/documents/<int:pk>/comment/", document.comment, name="document-comment"),
    path(
        "projects/<slug:slug>/annotations/<int:pk>/withdraw/", document.withdraw, name="annotation-withdraw"
    ),
    path(
        "projects/<slug:slug>/documents/<int:pk>/return/", documents.return_to_queue, name="document-return"
    ),
    path("projects/<slug:slug>/handed-on/", documents.handed_on, name="handed-on"),
    path("projects/<slug:slug>/handed-on/<int:pk>/", documents.settle_handed_on, name="handed-on-settle"),
    path("projects/<slug:slug>/imports/", imports.imports, name="imports"),
    path("projects/<slug:slug>/imports/<int:pk>/", imports.import_, name="import"),
    path("projects/<slug:slug>/imports/<int:pk>/begin/", project_file.begin, name="import-begin"),
    path("projects/<slug:slug>/imports/<int:pk>/cancel/", imports.cancel_import, name="import-cancel"),
    path("projects/<slug:slug>/imports/<int:pk>/delete/", deletion.import_, name="import-delete"),
    path("projects/<slug:slug>/export/", exports.page, name="export-page"),
    path("projects/<slug:slug>/export/file/", exports.file, name="export-file"),
    path("projects/<slug:slug>/export/start/", exports.start, name="export-start"),
    path("projects/<slug:slug>/exports/<int:pk>/", exports.written, name="export-written"),
    path("projects/<slug:slug>/export/<str:format>/", exports.export, name="export"),
    path("projects/<slug:slug>/versions/", versions.versions, name="versions"),
    path("projects/<slug:slug>/versions/<int:number>/", versions.version, name="version"),
    path("projects/<slug:slug>/versions/<int:number>/score/", comparison.score, name="version-score"),
    path(
        "projects/<slug:slug>/versions/<int:number>/thresholds/", thresholds.page, name="version-thresholds"
    ),
    path(
        "projects/<slug:slug>/versions/<int:number>/thresholds/csv/",
        thresholds.download,
        name="version-thresholds-csv",
    ),
    path(
        "projects/<slug:slug>/versions/<int:number>/confidence/",
        thresholds.confident,
        name="version-confidence",
    ),
    path(
        "projects/<slug:slug>/versions/<int:number>/confidence/csv/",
        thresholds.confident_csv,
        name="version-confidence-csv",
    ),
    path("projects/<slug:slug>/versions/<int:number>/revise/", thresholds.revise, name="version-revise"),
    path("projects/<slug:slug>/shares/", shares.page, name="shares"),
    path("projects/<slug:slug>/shares/csv/", shares.download, name="shares-csv"),
    path("projects/<slug:slug>/versions/compare/", comparison.page, name="version-compare"),
    path("projects/<slug:slug>/versions/compare/csv/", comparison.download, name="version-compare-csv"),
    path(
        "projects/<slug:slug>/versions/<int:number>/roll-back/", versions.roll_back, name="version-roll-back"
    ),
    path("projects/<slug:slug>/versions/<int:number>/publish/", versions.publish, name="version-publish"),
    path("projects/<slug:slug>/reportcard/", reportcard.reportcard, name="reportcard"),
    path("projects/<slug:slug>/reportcard/measure/", reportcard.measure, name="reportcard-measure"),
    path("projects/<slug:slug>/reportcard/combine/", reportcard.combine, name="reportcard-combine"),
    # Where the report card was up to version 0.1: bookmarks go on working.
    path("projects/<slug:slug>/card/", reportcard.reportcard, name="reportcard-before"),
    path("projects/<slug:slug>/runs/", runs.runs, name="runs"),
    path("projects/<slug:slug>/runs/start/", runs.start_run, name="run-start"),
    path("projects/<slug:slug>/runs/<int:pk>/cancel/", runs.cancel_run, name="run-cancel"),
    path("projects/<slug:slug>/jobs/<int:pk>/cancel/", runs.cancel_job, name="job-cancel"),
]

handler500 = "annotate.views.health.failed"
