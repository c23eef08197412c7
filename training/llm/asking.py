"""Many texts, several under way at once: threads wait for the endpoint, all else stays on one thread."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import dataclass, field, replace

from training.llm.labeller import Answer, Labeller
from training.llm.parse import Outcome
from training.llm.prompt import Prompt
from training.types import TrainingError

AT_ONCE = 4
MOST_AT_ONCE = 64  # each is a thread and a connection


@dataclass(frozen=True, slots=True)
class Question:
    """A text and what is asked about it."""

    text: str
    prompt: Prompt


Keep = Callable[[int, Answer], None]


def check_concurrency(concurrency: int) -> None:
    """Raise `TrainingError` where so many questions cannot be under way at once."""
    if not 1 <= concurrency <= MOST_AT_ONCE:
        raise TrainingError(
            f"From 1 to {MOST_AT_ONCE} questions can be under way at once, not {concurrency}."
        )


def ask_all(
    labeller: Labeller, questions: Iterable[Question], keep: Keep, *, concurrency: int = AT_ONCE
) -> None:
    """Answer all questions, and call `keep` with the number of each, from 0, and its answer, as they come.

    `questions` and `keep` run on the calling thread, so they may use a database; a question is taken only
    when it can be asked. Equal questions are asked once. The first error ends the asking, and so does one of
    the caller's own, such as `KeyboardInterrupt`: then what is under way is answered and kept, no thread is
    left, and the error is raised. `keep` may be called twice for an answer that it was interrupted at.
    """
    check_concurrency(concurrency)
    with ThreadPoolExecutor(concurrency, thread_name_prefix="llm") as pool:
        asking = _Asking(labeller, keep, pool)
        try:
            for number, question in enumerate(questions):
                asking.take(number, question)
                asking.collect(leave=concurrency - 1)
            asking.collect(leave=0)
        except BaseException:
            labeller.stop()
            asking.finish()
            raise


@dataclass(frozen=True, slots=True)
class _UnderWay:
    """A question that was sent, and the numbers of all that are equal to it."""

    key: str
    future: Future[Answer]
    numbers: list[int]


@dataclass(slots=True)
class _Asking:
    labeller: Labeller
    keep: Keep
    pool: ThreadPoolExecutor
    under_way: dict[str, _UnderWay] = field(default_factory=dict)
    known: dict[str, Answer] = field(default_factory=dict)

    def take(self, number: int, question: Question) -> None:
        """Answer the question from what is known, else send it."""
        key = self.labeller.key(question.text, question.prompt)
        known = self.known.get(key) or self.labeller.kept(key)
        if known is not None:
            self.keep(number, known)
        elif key in self.under_way:
            self.under_way[key].numbers.append(number)
        else:
            future = self.pool.submit(self.labeller.ask, question.text, question.prompt)
            self.under_way[key] = _UnderWay(key, future, [number])

    def collect(self, *, leave: int) -> None:
        """Keep what was answered, until no more than `leave` are under way; raises what ends the run."""
        while True:
            for sent in [sent for sent in self.under_way.values() if sent.future.done()]:
                self._keep(sent)
            if len(self.under_way) <= leave:
                return
            wait([sent.future for sent in self.under_way.values()], return_when=FIRST_COMPLETED)

    def finish(self) -> None:
        """Wait for what is under way and keep what was answered: an error that ended the run is known."""
        wait([sent.future for sent in self.under_way.values()])
        with ExitStack() as answered:  # one that cannot be kept does not lose the others
            for sent in self.under_way.values():
                if sent.future.exception() is None:
                    answered.callback(self._keep, sent)

    def _keep(self, sent: _UnderWay) -> None:
        answer = sent.future.result()
        again = replace(answer, calls=())  # paid for once
        self.labeller.keep(sent.key, answer)
        for number in sent.numbers:
            self.keep(number, answer if number == sent.numbers[0] else again)
        if answer.outcome is not Outcome.FAILED:
            self.known[sent.key] = again
        del self.under_way[sent.key]
