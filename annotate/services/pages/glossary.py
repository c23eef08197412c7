"""What Winnow's words mean: the one source of the page `/glossary/`, `docs/glossary.md` and every link."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


@dataclass(frozen=True, slots=True)
class Term:
    """A word and its meaning in whole sentences; both are read by people who label and by those who build."""

    name: str | Promise
    meaning: str | Promise


# In the order in which a document meets them; a key is also the anchor on the page.
TERMS: dict[str, Term] = {
    "document": Term(_("document"), _("One text that is to be labelled, kept exactly as it came.")),
    "lane": Term(
        _("lane"),
        _(
            "Which of two purposes a document serves: models learn from the pool, and are measured on the "
            "holdout. A document gets its lane when it is imported and keeps it; where a file brings labels, "
            "some that no person has seen and no run has learned from are moved to the holdout at once, so "
            "that each label has enough there."
        ),
    ),
    "pool": Term(
        _("pool"),
        _("The lane of the documents that models learn from, and from which the next ones are chosen."),
    ),
    "holdout": Term(
        _("holdout"),
        _(
            "The lane of the documents that no model ever learns from. Every figure on the site is measured "
            "on them, because a model looks better than it is on what it has learned."
        ),
    ),
    "half": Term(
        _("half"),
        _(
            "The holdout has two halves. Labels of the tuning half set thresholds and calibration, together "
            "with those of the pool as long as they are few, and decide whether a newer model is published; "
            "labels of the reporting half give the figures. No document is in both."
        ),
    ),
    "near-duplicate": Term(
        _("near duplicate"),
        _(
            "A text that differs from another only in case, digits, punctuation, symbols and spaces. Both "
            "get the same lane and the same half."
        ),
    ),
    "place": Term(
        _("place"),
        _(
            "One seat in the queue: a document waits there for one person's decision. A document has as many "
            "places as the project wants annotators for it."
        ),
    ),
    "list": Term(
        _("list"),
        _(
            "Documents that a lead has put together for named people to label, apart from the queue. It ends "
            "when each is answered or a lead closes it; who labels it can be changed until then."
        ),
    ),
    "lease": Term(
        _("lease"),
        _(
            "The time for which a place, a run or an import belongs to one person or one worker. After it "
            "the next one may take it, so nothing is stuck when somebody leaves."
        ),
    ),
    "batch": Term(
        _("batch"),
        _("The documents that one query strategy chose at one time; they go to the front of the queue."),
    ),
    "query-strategy": Term(
        _("query strategy"),
        _(
            "The rule by which the next documents are chosen from the pool, for example those of which the "
            "published model is least sure."
        ),
    ),
    "card": Term(
        _("card"),
        _(
            "One document as it was shown to one person, with the suggestion that stood beside it. An answer "
            "names its card, so an answer that is sent twice counts once."
        ),
    ),
    "suggestion": Term(
        _("suggestion"),
        _("What a model or an LLM proposes on a card. Cards of the holdout never show one."),
    ),
    "decision": Term(
        _("decision"),
        _(
            "What one person sent for one card: labels, a skip or a flag. Decisions are never changed; a "
            "later one takes the place of an earlier one."
        ),
    ),
    "annotation": Term(
        _("annotation"),
        _("One person's answer to one document as it stands now: the latest of their decisions on it."),
    ),
    "gold": Term(_("gold"), _("An annotation that counts before all others on its document.")),
    "snapshot": Term(
        _("snapshot"),
        _(
            "What a run reads when it begins: one answer for each document, by lane and half, and the pool "
            "without answers."
        ),
    ),
    "encoder": Term(
        _("encoder"),
        _("A network that turns a text into a vector. Texts that mean alike get vectors that are near."),
    ),
    "family": Term(
        _("family"),
        _("A way to learn, for example from counted words or vectors. Each has its own speed and needs."),
    ),
    "variant": Term(
        _("variant"),
        _(
            "What a run changes about its family's usual settings, for example another head or encoder. "
            "Versions of one family and one variant follow each other."
        ),
    ),
    "run": Term(
        _("run"),
        _("One training of one family, from snapshot to verdict. A run that succeeds makes a version."),
    ),
    "version": Term(
        _("version"),
        _("One trained model with its number, its figures and its bundle. At most one version is published."),
    ),
    "bundle": Term(
        _("bundle"),
        _(
            "The folder that holds a version's model: an ONNX graph, what prepares a text for it, "
            "thresholds, and a checksum of each file. Nothing in it is code."
        ),
    ),
    "parity": Term(
        _("parity"),
        _(
            "How many decisions of the exported model are the same as those of the model that was trained. "
            "No version is made of an export whose scores differ by more than rounding; one in INT8 has to "
            "decide 98 of 100 alike."
        ),
    ),
    "candidate": Term(_("candidate"), _("A version that has been measured and not been published yet.")),
    "verdict": Term(
        _("verdict"),
        _("Why a version was published or not: its comparison with the best so far on the same documents."),
    ),
    "published": Term(
        _("published"),
        _(
            "The version that suggests and answers the API. What comes next is chosen by the newest of "
            "its kind."
        ),
    ),
    "threshold": Term(
        _("threshold"),
        _(
            "The score from which a label of a multi-label project is decided on. Each label has its own, "
            "set on the tuning half."
        ),
    ),
    "least-confidence": Term(
        _("least confidence"),
        _(
            "How sure a version has to be of a text to decide on a label. Of others programs are told that "
            "it abstained, and its scores. A lead sets it by how often the version would then be right; "
            "newer versions keep it."
        ),
    ),
    "revision": Term(
        _("revision"),
        _(
            "A version that scores as another one does and decides otherwise: by thresholds or a least "
            "confidence that a lead has set. It has a number of its own, and is published and gone back from "
            "like any version."
        ),
    ),
    "calibration": Term(
        _("calibration"),
        _(
            "Makes a score mean what it says: of all texts with a score of 0.8, about 80 % are right. The "
            "calibration error is how far it is from that on average. Until enough labels are there to learn "
            "it from, scores only rank labels and are shown as guesses, without a percentage."
        ),
    ),
    "macro-f1": Term(
        _("macro-F1"),
        _(
            "The mean of the labels' F1, in which a rare label counts as much as a common one. F1 joins "
            "precision (how many of its decisions are right) and recall (how many it finds)."
        ),
    ),
    "entity-f1": Term(
        _("entity F1"),
        _(
            "F1 of spans: one is right where its start, its end and its label are. All labels' spans count "
            "together."
        ),
    ),
    "token-alpha": Term(
        _("token alpha"),
        _(
            "Krippendorff's alpha of all annotators together, each word being one decision: 1 where "
            "they give every word the same label, 0 where they agree as often as by chance."
        ),
    ),
    "joint-f1": Term(
        _("joint F1"),
        _(
            "The mean of the labels' macro-F1 and of the spans' entity F1, by which versions are judged "
            "where documents have labels and pieces of their texts have others."
        ),
    ),
    "micro-f1": Term(
        _("micro-F1"),
        _("F1 over all decisions together, in which a common label counts more than a rare one."),
    ),
    "support": Term(
        _("support"),
        _("How many documents a figure is measured on. Without any there is no figure."),
    ),
    "interval": Term(
        _("interval"),
        _("The range in which the true figure lies in 95 of 100 cases; with more documents it is narrower."),
    ),
    "report-card": Term(
        _("report card"),
        _(
            "The newest version of each family and variant side by side, on the same documents and the same "
            "machine, and which of them to take."
        ),
    ),
    "within-noise": Term(
        _("within noise"),
        _("A difference that is so small for so few documents that it may be chance."),
    ),
    "cascade": Term(
        _("cascade"),
        _("Two versions as one: the cheap one answers what it is sure of, the strong one answers the rest."),
    ),
    "teacher": Term(
        _("teacher"),
        _("A strong version whose answers to unlabelled texts a cheap family learns from."),
    ),
    "shadow-model": Term(
        _("shadow model"),
        _(
            "A model that learns from documents drawn at random alone and never serves: beside one of as "
            "many chosen documents it shows how many labels choosing has saved."
        ),
    ),
    "drift": Term(
        _("drift"),
        _(
            "What programs ask about changes, so that a model that was good is so no longer. What the "
            "published version answers over the API is counted, and compared with what was usual."
        ),
    ),
    "window": Term(
        _("window"),
        _(
            "So many texts in a row that programs asked about, 500 where nothing else is set: what they are "
            "like is compared with what was usual."
        ),
    ),
    "corridor": Term(
        _("corridor"),
        _(
            "How far a window may be from what was usual. One usual window in 200 is outside by chance; how "
            "much windows have varied before is taken into account."
        ),
    ),
    "alarm": Term(
        _("alarm"),
        _(
            "Several windows in a row were outside their corridor. It says what has moved; where texts are "
            "kept, those that are unlike all labelled ones come first in the queue."
        ),
    ),
}
