"""A real bundle that finds spans, for tests of serving: a hand-made graph that knows a few words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from django.utils import timezone
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer
from tokenizers.processors import TemplateProcessing

from annotate.models import Label, ModelVersion, Project, Publication
from annotate.models.versions import Stage
from training import tasks
from training.bundles.bundle import BundleDraft, Manifest
from training.preprocess.word_pieces import PieceSettings, WordPiecePreprocessor
from training.types import LabelSpec, Schema

SURE = 4.0  # the logit of the tag that a word has
ENDS = ("[CLS]", "[SEP]")


def write_span_bundle(
    target: Path, schema: Schema, names: Mapping[str, Sequence[str]], *, calibrated: bool = True
) -> Path:
    """Write a bundle that finds these names of each label's key, in whatever case they are written."""
    tags: dict[str, int] = {}
    for j, key in enumerate(schema.keys):
        for name in names.get(key, ()):
            first, *rest = name.lower().split()
            tags[first] = 1 + 2 * j
            tags |= dict.fromkeys(rest, 2 + 2 * j)
    vocabulary = {word: i for i, word in enumerate(("[UNK]", *ENDS, *tags))}
    tokenizer = Tokenizer(WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer, tokenizer.pre_tokenizer = BertNormalizer(), BertPreTokenizer()
    tokenizer.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[(word, vocabulary[word]) for word in ENDS]
    )
    weights = np.zeros((len(vocabulary), 1 + 2 * len(schema)), np.float32)
    weights[:, 0] = SURE
    for word, tag in tags.items():
        weights[vocabulary[word]] = np.eye(weights.shape[1])[tag] * SURE
    with BundleDraft(target) as draft:
        (draft.folder / "model.onnx").write_bytes(_graph(weights))
        WordPiecePreprocessor(tokenizer, PieceSettings("words")).save(draft.folder)
        draft.write_manifest(
            Manifest(
                family="token_classifier",
                schema=schema,
                thresholds=(0.0,) * len(schema),
                calibration={"method": "none"},
                preprocessing="word_pieces",
                calibrated=calibrated,
            )
        )
        return draft.publish()


def _graph(weights: np.ndarray) -> bytes:
    shape = ["windows", "pieces"]
    graph = helper.make_graph(
        [helper.make_node("Gather", ["weights", "input_ids"], ["logits"], axis=0)],
        "words",
        [helper.make_tensor_value_info(name, TensorProto.INT64, shape) for name in ("input_ids", "shapes")],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [*shape, weights.shape[1]])],
        [numpy_helper.from_array(weights, "weights")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    return bytes(model.SerializeToString())


def add_span_version(
    project: Project,
    root: Path,
    names: Mapping[str, Sequence[str]],
    *,
    number: int = 1,
    calibrated: bool = True,
) -> ModelVersion:
    """Publish a version of a bundle that finds these names of each label's name."""
    labels = list(Label.objects.filter(project=project))
    schema = Schema(tasks.find(project.task), tuple(LabelSpec(str(one.pk), one.name) for one in labels))
    keyed = {str(one.pk): names.get(one.name, ()) for one in labels}
    folder = f"{project.slug}-{number}"
    write_span_bundle(root / folder, schema, keyed, calibrated=calibrated)
    version = ModelVersion.objects.create(
        project=project,
        number=number,
        family="token_classifier",
        bundle=folder,
        stage=Stage.PUBLISHED,
        calibrated=calibrated,
        label_ids=[label.pk for label in labels],
        labelled=10,
        holdout_documents=0,
        published_at=timezone.now(),
    )
    Publication.objects.create(project=project, version=version, published_at=version.published_at)
    return version
