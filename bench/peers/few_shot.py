"""SetFit with eight texts of each label; `bench/peers/measure.py` runs it in SetFit's environment.

Each text is in so many pairs of equals and in as many of others, in one epoch. All pairs of others, which
SetFit takes by default, would be 23,000 steps with 77 labels.
"""

from __future__ import annotations

import sys
import tempfile

import numpy as np
from datasets import Dataset
from setfit import SetFitModel, Trainer, TrainingArguments
from split import Curve, Split, checkpoint, measure

A_LABEL = 8
SETTINGS = {
    "texts_a_label": A_LABEL,
    "num_iterations": int(sys.argv.pop()),
    "num_epochs": 1,
    "batch_size": 16,
}


def learn(split: Split, seed: int) -> Curve:
    rng = np.random.default_rng(seed)
    of_label = [np.flatnonzero(split.targets == label) for label in range(len(split.labels))]
    chosen = np.concatenate([rng.choice(them, A_LABEL, replace=False) for them in of_label])
    texts = {"text": [split.texts[i] for i in chosen], "label": split.targets[chosen].tolist()}
    model = SetFitModel.from_pretrained(checkpoint(), device="cpu")
    with tempfile.TemporaryDirectory(prefix="winnow-peer-") as folder:
        arguments = TrainingArguments(
            output_dir=folder,
            num_iterations=SETTINGS["num_iterations"],
            num_epochs=SETTINGS["num_epochs"],
            batch_size=SETTINGS["batch_size"],
            seed=seed,
            report_to="none",
            save_strategy="no",
        )
        Trainer(model=model, args=arguments, train_dataset=Dataset.from_dict(texts)).train()
    yield len(chosen), np.asarray(model.predict(split.test_texts))


if __name__ == "__main__":
    measure(learn, SETTINGS)
