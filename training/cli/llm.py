"""`python -m training llm`: have an OpenAI-compatible endpoint label a file, and measure it."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from training.cli.embedders import add_encoder_arguments, open_embedder
from training.cli.inputs import output_file, parse_settings, read_answers, read_labels, read_texts, task_of
from training.figures.evaluate import macro_f1
from training.figures.evidence import figure, is_enough, why_none
from training.llm.asking import AT_ONCE, Question, ask_all, check_concurrency
from training.llm.budget import BudgetMeter, Prices
from training.llm.cache import SqliteCache
from training.llm.client import DEFAULTS, Chat, Endpoint
from training.llm.errors import LlmError
from training.llm.labeller import Labeller, LlmReply
from training.llm.prompt import Example, Prompt, similar
from training.types import Json, LabelSchema, TrainingError

KEY = "WINNOW_LLM_API_KEY"
PromptFor = Callable[[str], Prompt]


@dataclass(frozen=True, slots=True)
class Finished:
    """The answers in the order of their texts' numbers; `stopped` tells why some are missing."""

    answers: Mapping[int, LlmReply]
    stopped: str


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand."""
    parser = subparsers.add_parser("llm", help=f"label a file by prompt; the key is read from {KEY}")
    parser.add_argument("file", type=Path, metavar="F", help="texts to label")
    parser.add_argument("--endpoint", required=True, metavar="URL", help="as in https://host/v1")
    parser.add_argument("--model", required=True, metavar="NAME")
    parser.add_argument(
        "--labels", type=Path, required=True, metavar="F", help="all labels, with descriptions"
    )
    parser.add_argument("--text", required=True, metavar="COL", help="column of the text")
    parser.add_argument("--label", metavar="COL", help="column of the true label, where there is one")
    parser.add_argument("--multi", metavar="SEP", help="multi-label: what separates labels in a cell")
    parser.add_argument("--shots", type=Path, metavar="F", help="labelled examples, in the same columns")
    parser.add_argument("--shots-per-text", type=int, default=6, metavar="N", help="the most similar ones")
    parser.add_argument("--limit", type=int, metavar="N", help="only the first texts")
    parser.add_argument(
        "--concurrency", type=int, default=AT_ONCE, metavar="N", help="questions under way at once"
    )
    parser.add_argument("--timeout", type=float, default=30.0, metavar="SECONDS")
    parser.add_argument("--attempts", type=int, default=4, metavar="N")
    parser.add_argument(
        "--input-price", type=float, default=0.0, metavar="X", help="of a million tokens sent"
    )
    parser.add_argument("--output-price", type=float, default=0.0, metavar="X", help="of a million received")
    parser.add_argument("--max-cost", type=float, metavar="X", help="stop before it costs more")
    parser.add_argument("--max-tokens", type=int, metavar="N", help="stop before it takes more")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="a field of the request"
    )
    parser.add_argument("--answers", type=Path, metavar="F", help="keep answers there, and ask nothing twice")
    parser.add_argument("--json", type=output_file, metavar="OUT", help="write figures and answers there")
    add_encoder_arguments(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Answer the texts, then write figures and answers, even if the asking ended before the last text."""
    check_concurrency(arguments.concurrency)
    # Checked first: a failure at the end would lose what was paid for.
    if arguments.json and not arguments.json.parent.is_dir():
        raise TrainingError(f"There is no folder {arguments.json.parent} to write figures into.")
    schema = LabelSchema(task_of(arguments.multi), read_labels(arguments.labels))
    targets = None
    if arguments.label is None:
        texts = read_texts(arguments.file, arguments.text)[: arguments.limit]
    else:
        texts, truth = read_answers(arguments.file, arguments.text, arguments.label, arguments.multi)
        texts, truth = texts[: arguments.limit], truth[: arguments.limit]
        targets = schema.encode(truth) if truth else None
    prompt_for = _prompts(schema, texts, arguments)
    prices = Prices(arguments.input_price, arguments.output_price)
    meter = BudgetMeter(prices, max_cost=arguments.max_cost, max_tokens=arguments.max_tokens)
    done = _answers(texts, prompt_for, meter, arguments)
    figures = _figures(done, meter, len(texts))
    if targets is not None:
        # A text without an answer gets no label, which the figures count as wrong.
        decided = np.zeros((len(done.answers), len(schema)), bool)
        for row, answer in zip(decided, done.answers.values(), strict=True):
            row[[schema.keys.index(key) for key in answer.labels]] = True
        figures["macro_f1"] = figure(macro_f1(targets[list(done.answers)], decided), len(decided))
        figures["reason"] = "" if is_enough(len(decided)) else why_none(len(decided))
    if arguments.json:
        rows = [
            {
                "text": texts[number],
                "labels": list(answer.labels),
                "outcome": answer.outcome,
                "note": answer.note,
                "cost": answer.cost,
                "seconds": answer.seconds,
            }
            for number, answer in done.answers.items()
        ]
        content = figures | {"answers": rows}
        arguments.json.write_text(json.dumps(content, ensure_ascii=False, indent=1), "utf-8")
    print(json.dumps(figures, ensure_ascii=False))
    if done.stopped:
        raise LlmError(done.stopped)


def _prompts(schema: LabelSchema, texts: Sequence[str], arguments: argparse.Namespace) -> PromptFor:
    """Return the function that makes the prompt of a text, with similar examples where there are any."""
    if arguments.shots is None:
        same = Prompt(schema)
        return lambda text: same
    columns = (arguments.text, arguments.label or "label", arguments.multi)
    pairs = zip(*read_answers(arguments.shots, *columns), strict=True)
    examples = [Example(text, labels) for text, labels in pairs]
    schema.encode([example.labels for example in examples])  # the error names a label that is unknown
    embedder, _ = open_embedder(arguments)
    vectors = embedder.embed([example.text for example in examples])
    asked = dict(zip(texts, embedder.embed(texts), strict=True))

    def of(text: str) -> Prompt:
        like = similar(examples, vectors, text, asked[text], arguments.shots_per_text)
        return Prompt(schema, examples=like)

    return of


def _answers(
    texts: Sequence[str], prompt_for: PromptFor, meter: BudgetMeter, arguments: argparse.Namespace
) -> Finished:
    endpoint = Endpoint(
        arguments.endpoint,
        arguments.model,
        key=os.environ.get(KEY, ""),
        timeout=arguments.timeout,
        attempts=arguments.attempts,
        options={**DEFAULTS, **parse_settings(arguments.set)},
    )
    questions = (Question(text, prompt_for(text)) for text in texts)
    answers: dict[int, LlmReply] = {}
    stopped = ""

    def keep(number: int, answer: LlmReply) -> None:
        answers[number] = answer
        print(f"{len(answers)} of {len(texts)}", file=sys.stderr)

    with ExitStack() as stack:
        chat = stack.enter_context(Chat(endpoint))
        cache = stack.enter_context(SqliteCache(arguments.answers)) if arguments.answers else None
        try:
            ask_all(Labeller(chat, meter, cache), questions, keep, concurrency=arguments.concurrency)
        except LlmError as error:
            stopped = f"Stopped after {len(answers)} of {len(texts)} texts. {error}"
        except KeyboardInterrupt:
            stopped = f"Stopped after {len(answers)} of {len(texts)} texts, as you asked."
    return Finished(dict(sorted(answers.items())), stopped)


def _figures(done: Finished, meter: BudgetMeter, texts: int) -> dict[str, Json]:
    return {
        "texts": texts,
        "asked": len(done.answers),
        "outcomes": dict(Counter(str(answer.outcome) for answer in done.answers.values())),
        "calls": len(meter.calls),
        "input_tokens": sum(call.input_tokens for call in meter.calls),
        "output_tokens": sum(call.output_tokens for call in meter.calls),
        "cost": meter.cost,
        "calls_not_counted": sum(call.is_bound for call in meter.calls),  # their figures are upper bounds
        "single_p50_ms": _milliseconds(meter.latency(0.5)),
        "single_p99_ms": _milliseconds(meter.latency(0.99)),
        "stopped": done.stopped,
    }


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 2)
