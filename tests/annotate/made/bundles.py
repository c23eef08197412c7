"""A real bundle for tests of serving: a hand-made graph over the words of label names."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from django.utils import timezone
from onnx import TensorProto, helper, numpy_helper

from annotate.models import Label, ModelVersion, Project, Publication
from annotate.models.versions import Stage
from training import tasks
from training.bundles.bundle import BundleDraft, Manifest
from training.preprocess.ngrams import NgramPreprocessor, NgramSettings
from training.runs.pipeline import train_and_package
from training.tasks import SINGLE
from training.types import Dataset, LabelSchema, LabelSpec, RunSpec, Task


def write_bundle(
    target: Path,
    schema: LabelSchema,
    thresholds: tuple[float, ...] | None = None,
    *,
    explains: bool = True,
    calibrated: bool = True,
) -> Path:
    """Write a bundle that decides for the labels whose names are in the text."""
    ngrams = NgramPreprocessor.fit(
        [label.name for label in schema.labels], NgramSettings(word_max=1, char_min=30, char_max=30)
    )
    weights = np.zeros((len(ngrams), len(schema)), np.float32)
    for j, label in enumerate(schema.labels):
        weights[ngrams.weights(label.name)[0], j] = 8.0
    with BundleDraft(target) as draft:
        (draft.folder / "model.onnx").write_bytes(_graph(schema.task, weights, explains=explains))
        ngrams.save(draft.folder)
        draft.write_manifest(
            Manifest(
                family="tfidf",
                schema=schema,
                thresholds=thresholds or (0.5,) * len(schema),
                calibration={"method": "none"},
                preprocessing="ngrams",
                calibrated=calibrated,
            )
        )
        return draft.publish()


def write_fasttext_bundle(target: Path, schema: LabelSchema) -> Path:
    """Write a bundle of fastText that learned the labels by their names among words of no label."""
    pairs = [(label, filler) for label in schema.labels for filler in ("a tree", "not", "the house is")]
    texts = tuple(f"{filler} {label.name}" for label, filler in pairs)
    dataset = Dataset(schema, texts, schema.encode([(label.key,) for label, _ in pairs]))
    none = Dataset(schema, (), dataset.targets[:0])
    spec = RunSpec("fasttext", {"epochs": 100})
    return train_and_package(spec, dataset, target, tuning=none, reporting=none).bundle


def _graph(task: Task, weights: np.ndarray, *, explains: bool) -> bytes:
    last = (
        helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1)
        if task is SINGLE
        else helper.make_node("Sigmoid", ["logits"], ["probabilities"])
    )
    bias = np.full(weights.shape[1], -2.0, np.float32)
    outputs = [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [1, weights.shape[1]])]
    if explains:
        rows = helper.make_tensor_value_info("rows", TensorProto.FLOAT, ["features", weights.shape[1]])
        outputs.append(rows)
    graph = helper.make_graph(
        [
            helper.make_node("Gather", ["weights", "ids"], ["rows"], axis=0),
            helper.make_node("MatMul", ["values", "rows"], ["sums"]),
            helper.make_node("Add", ["sums", "bias"], ["logits"]),
            last,
        ],
        "words",
        [
            helper.make_tensor_value_info("ids", TensorProto.INT64, ["features"]),
            helper.make_tensor_value_info("values", TensorProto.FLOAT, [1, "features"]),
        ],
        outputs,
        [numpy_helper.from_array(weights, "weights"), numpy_helper.from_array(bias, "bias")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    return bytes(model.SerializeToString())


def add_version(
    project: Project,
    root: Path,
    *,
    number: int = 1,
    stage: str = Stage.PUBLISHED,
    thresholds: tuple[float, ...] | None = None,
    explains: bool = True,
    family: str = "tfidf",
    calibrated: bool = True,
) -> ModelVersion:
    labels = list(Label.objects.filter(project=project))
    specs = tuple(LabelSpec(str(label.pk), label.name) for label in labels)
    folder = f"{project.slug}-{number}"
    schema = LabelSchema(tasks.find(project.task), specs)
    if family == "fasttext":
        write_fasttext_bundle(root / folder, schema)
    else:
        write_bundle(root / folder, schema, thresholds, explains=explains, calibrated=calibrated)
    version = ModelVersion.objects.create(
        project=project,
        number=number,
        family=family,
        bundle=folder,
        stage=stage,
        calibrated=calibrated,
        label_ids=[label.pk for label in labels],
        labelled=10,
        holdout_documents=0,
        published_at=None if stage == Stage.CANDIDATE else timezone.now(),
    )
    if stage != Stage.CANDIDATE:
        Publication.objects.create(project=project, version=version, published_at=version.published_at)
    return version
