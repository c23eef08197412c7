"""What can be chosen by key: families, strategies and two tools that are heavy.

An entry says by its traits what people and the site have to know of a family without loading it, so importing
this module loads no family and no strategy. A new family is a folder under `training.families` and one entry
here; no other file names it. What an entry lacks is refused when the entry is made, that is at the start of
the program.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, TypeVar

from training.types import ScoreKind, Task, TrainingError

OF_DOCUMENTS = (ScoreKind.EXCLUSIVE, ScoreKind.INDEPENDENT)
OF_WORDS = (ScoreKind.WORDS, ScoreKind.BOTH)
_LAST = 100  # the place of a family whose order among the runs does not matter


@dataclass(frozen=True, slots=True)
class Entry:
    """An object that is imported only when it is wanted.

    `title` is the name that people see, `path` is "package.module:name", and `extra` is the optional
    dependency of the project that installs what the module imports. Raises `TrainingError` for a key that
    could not stand in a form or an address, for an entry without a title, and for another kind of path.
    """

    key: str
    title: str
    path: str
    extra: str = "train"

    def __post_init__(self) -> None:
        if not self.key.isidentifier():
            raise TrainingError(f"{self.key!r} cannot be a key; use letters, digits and underscores.")
        if not self.title.strip():
            raise TrainingError(f"The entry {self.key!r} has no title; give it the name that people see.")
        module, _, name = self.path.partition(":")
        if not module or not name:
            raise TrainingError(
                f"The entry {self.key!r} has the path {self.path!r}; write package.module:name."
            )

    def load(self) -> Any:
        """Import and return the object; the error names the pip command where a package is missing."""
        module, _, name = self.path.partition(":")
        try:
            return getattr(import_module(module), name)
        except ModuleNotFoundError as error:
            raise TrainingError(
                f"{self.title} needs the package {error.name!r}: run pip install '.[{self.extra}]'."
            ) from error


@dataclass(frozen=True, slots=True)
class Option:
    """A parameter of a family that people choose in a form.

    `choices` are (value, title), the usual one first. Raises `TrainingError` for an option or a choice
    without a title, and for a value that is there twice.
    """

    name: str
    title: str
    choices: tuple[tuple[str, str], ...]

    def __post_init__(self) -> None:
        if not self.title.strip():
            raise TrainingError(f"The option {self.name!r} has no title; give it the name that people see.")
        if not self.choices:
            raise TrainingError(f"The option {self.name!r} has no choices; leave it out or give it some.")
        for value, title in self.choices:
            if not title.strip():
                raise TrainingError(
                    f"The choice {value!r} of the option {self.name!r} has no title; give it one."
                )
        if len(set(self.values)) != len(self.choices):
            raise TrainingError(f"The option {self.name!r} has the same choice twice; leave one out.")

    @property
    def values(self) -> tuple[str, ...]:
        """What the family's constructor may be given."""
        return tuple(value for value, _ in self.choices)


@dataclass(frozen=True, slots=True, kw_only=True)
class Family(Entry):
    """A model family: a class with the methods of `protocol.TextModel`, and its traits.

    A trait is a question that the site asks instead of asking for a family by name;
    `tests/training/families/test_families.py` holds each trait against the class.
    """

    help: str
    """One sentence: what it does, and what it is good for."""
    score_kinds: tuple[ScoreKind, ...] = OF_DOCUMENTS
    options: tuple[Option, ...] = ()
    place: int = _LAST
    """Its place in the order of runs: of two families that are due together, the lower one comes first."""
    is_automatic: bool = False
    """A new project trains it by itself; the lead may choose otherwise."""
    is_slow: bool = False
    """A fit takes minutes or hours, so it has a queue of its own and scores a part of the pool only."""
    learns: bool = True
    """It learns from labelled texts."""
    starts_from_names: bool = False
    """It learns from the labels' names as well, so its first run does not wait for labels."""
    reads_vectors: bool = False
    """Its constructor takes an `embedder`, and its bundles read the vectors of that encoder."""
    reads_word_vectors: bool = False
    """Its constructor takes a word `encoder`, and its bundles read the vectors of that encoder."""
    takes_encoder: bool = False
    """A lead may choose the encoder whose vectors it reads."""
    takes_checkpoint: bool = False
    """Its constructor takes a `checkpoint`, which a lead may choose."""
    explains: bool = False
    """Its versions can tell which parts of a text decided, with some options at least (see `Explains`)."""

    def __post_init__(self) -> None:
        Entry.__post_init__(self)  # NB: with slots, a bare super() would look for a class that is gone
        if not self.help.strip():
            raise TrainingError(f"The family {self.key!r} has no help; say in a sentence what it does.")
        names = [option.name for option in self.options]
        if len(set(names)) != len(names):
            raise TrainingError(f"The family {self.key!r} has an option twice: {', '.join(names)}.")
        if self.takes_encoder and not self.reads_vectors:
            raise TrainingError(f"The family {self.key!r} reads no vectors, so no encoder can be chosen.")

    def suits(self, task: Task) -> bool:
        """Tell whether it can learn the task."""
        return task.score_kind in self.score_kinds

    @property
    def tags_words(self) -> bool:
        """Whether it is a `protocol.SpanModel`, which finds labelled pieces of a text."""
        return ScoreKind.WORDS in self.score_kinds

    @property
    def can_be_taught(self) -> bool:
        """Whether another family's version may label the pool for it; a slow tagger learns from people."""
        return self.learns and not (self.tags_words and self.is_slow)

    @property
    def usual(self) -> dict[str, str]:
        """The value of each option where people choose nothing; the constructor's default is the same."""
        return {option.name: option.values[0] for option in self.options}


@dataclass(frozen=True, slots=True, kw_only=True)
class Strategy(Entry):
    """A query strategy: a function as `protocol.QueryStrategy` describes it, and what it has to be given."""

    score_kinds: tuple[ScoreKind, ...] = OF_DOCUMENTS
    reads_scores: bool = False
    reads_vectors: bool = False
    spreads: bool = True
    """What it chooses by scores is spread over clusters of vectors."""
    expects_spans: bool = False
    """It seeks texts with something to mark, and not those that a model is unsure of."""

    def suits(self, task: Task) -> bool:
        """Tell whether it can choose documents for the task."""
        return task.score_kind in self.score_kinds


AnyEntry = TypeVar("AnyEntry", bound=Entry)


def table(*entries: AnyEntry) -> dict[str, AnyEntry]:
    """Return the entries by key; raises `TrainingError` for a key that two of them have."""
    found: dict[str, AnyEntry] = {}
    for one in entries:
        if one.key in found:
            raise TrainingError(
                f"{found[one.key].title!r} and {one.title!r} both have the key {one.key!r}; rename one."
            )
        found[one.key] = one
    return found


def entry(entries: Mapping[str, AnyEntry], key: str) -> AnyEntry:
    """Return the entry of `key`, or raise `TrainingError` naming the keys that exist."""
    if key not in entries:
        raise TrainingError(f"There is no {key!r}; choose one of {', '.join(sorted(entries))}.")
    return entries[key]


_NONE = ("none", "Nothing is done")
_BALANCED = ("balanced", "Weights that let labels count alike")
_UNDERSAMPLE = ("undersample", "Fewer documents of common labels")
_AUGMENT = ("augment", "Changed copies of documents of rare labels")
_LOGISTIC = ("logistic", "Logistic regression")
_LIGHTGBM = ("lightgbm", "LightGBM")
_HEAD, _IMBALANCE = "Head", "Where labels are rare"

FAMILIES: dict[str, Family] = table(
    Family(
        "embedding",
        "Sentence embeddings",
        "training.families.embedding.model:EmbeddingModel",
        help="A small head over the vectors of a sentence encoder; it learns from few labels.",
        options=(
            Option("head", _HEAD, (_LOGISTIC, _LIGHTGBM)),
            Option(
                "imbalance",
                _IMBALANCE,
                (_NONE, _BALANCED, _UNDERSAMPLE, ("smote", "Made-up vectors of rare labels (SMOTE)")),
            ),
        ),
        place=1,  # the first of the runs, as it is the model that saves people the most labels
        is_automatic=True,
        starts_from_names=True,
        reads_vectors=True,
        takes_encoder=True,
    ),
    Family(
        "tfidf",
        "TF-IDF",
        "training.families.tfidf.model:TfidfModel",
        help="Counts words and runs of letters; it learns in seconds and says which words decided.",
        options=(
            Option("head", _HEAD, (_LOGISTIC, ("svm", "Linear SVM"), _LIGHTGBM)),
            Option(
                "imbalance",
                _IMBALANCE,
                (("usual", "What suits the task"), _NONE, _BALANCED, _UNDERSAMPLE, _AUGMENT),
            ),
        ),
        place=2,
        is_automatic=True,
        explains=True,
    ),
    Family(
        "zero_shot",
        "Label names, no labels needed",
        "training.families.zero_shot.model:ZeroShotModel",
        help="Compares texts with the names of the labels; it never looks at a labelled text.",
        place=3,
        learns=False,
        reads_vectors=True,
    ),
    Family(
        "fasttext",
        "fastText",
        "training.families.fasttext.model:FasttextModel",
        "fasttext",
        help="Averages vectors of words and of their parts; it is small and says which words decided.",
        place=4,
        explains=True,
    ),
    Family(
        "transformer",
        "Fine-tuned transformer",
        "training.families.transformer.model:TransformerModel",
        help="Trains a whole language model on the labels; with many of them it is often the best.",
        options=(
            Option(
                "imbalance",
                _IMBALANCE,
                (_NONE, _BALANCED, ("focal", "Focal loss"), _UNDERSAMPLE, _AUGMENT),
            ),
        ),
        place=5,
        is_slow=True,
        takes_checkpoint=True,
    ),
    Family(
        "fast_spans",
        "Word vectors",
        "training.families.fast_spans.model:FastSpansModel",
        help="A small head over several layers of an encoder; it learns spans within seconds.",
        score_kinds=OF_WORDS,
        place=1,
        is_automatic=True,
        reads_word_vectors=True,
    ),
    Family(
        "token_classifier",
        "Fine-tuned tagger",
        "training.families.token_classifier.model:TokenClassifierModel",
        help="Trains a whole language model to tag words; with many labels it finds most spans.",
        options=(Option("imbalance", _IMBALANCE, (_NONE, _BALANCED)),),
        score_kinds=OF_WORDS,
        place=5,
        is_slow=True,
        takes_checkpoint=True,
    ),
)

STRATEGIES: dict[str, Strategy] = table(
    Strategy(
        "random",
        "Random order",
        "training.strategies.wrappers:random_order",
        score_kinds=tuple(ScoreKind),
    ),
    Strategy(
        "kmeans",
        "Cold start: k-means",
        "training.strategies.diversity:kmeans",
        score_kinds=tuple(ScoreKind),
        reads_vectors=True,
    ),
    Strategy(
        "margin",
        "Margin",
        "training.strategies.uncertainty:margin",
        score_kinds=(ScoreKind.EXCLUSIVE,),
        reads_scores=True,
    ),
    Strategy(
        "entropy",
        "Entropy",
        "training.strategies.uncertainty:entropy",
        score_kinds=(ScoreKind.EXCLUSIVE,),
        reads_scores=True,
    ),
    Strategy(
        "least_confidence",
        "Least confidence",
        "training.strategies.uncertainty:least_confidence",
        score_kinds=(ScoreKind.EXCLUSIVE,),
        reads_scores=True,
    ),
    Strategy(
        "label_turns",
        "Labels take turns",
        "training.strategies.multilabel:label_turns",
        score_kinds=(ScoreKind.INDEPENDENT,),
        reads_scores=True,
    ),
    Strategy(
        "token_margin",
        "The least sure word",
        "training.strategies.words:token_margin",
        score_kinds=OF_WORDS,
        reads_scores=True,
        spreads=False,
    ),
    Strategy(
        "entity_mass",
        "Most expected spans",
        "training.strategies.words:entity_mass",
        score_kinds=OF_WORDS,
        reads_scores=True,
        spreads=False,
        expects_spans=True,
    ),
    Strategy(
        "both_margins",
        "The least sure word and label",
        "training.strategies.words:both_margins",
        score_kinds=(ScoreKind.BOTH,),
        reads_scores=True,
        spreads=False,
    ),
    Strategy(
        "mnlp",
        "The least likely tags",
        "training.strategies.words:mnlp",
        score_kinds=OF_WORDS,
        reads_scores=True,
        spreads=False,
    ),
)

# Turns what a strategy chooses into a batch. It is heavy, and so it is reached by its path as well.
CHOOSER = Entry("chooser", "Choosing a batch", "training.strategies.wrappers:choose_batch")

# Makes a team's own version of an encoder.
ENCODER_TUNER = Entry(
    "encoder_tuner", "Tuning an encoder", "training.families.encoder_tuning.tune:tune_encoder"
)


def families_in_order(task: Task | None = None) -> list[Family]:
    """Return the families, of a task if one is given, in the order in which their runs are opened."""
    able = (family for family in FAMILIES.values() if task is None or family.suits(task))
    return sorted(able, key=lambda family: (family.place, family.key))


def slow_families() -> list[str]:
    """Return the keys of the families that train for minutes or hours."""
    return [key for key, family in FAMILIES.items() if family.is_slow]
