"""Ask about many texts, several at once. Only waiting for the endpoint happens in other threads."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import dataclass, field, replace

from training.llm.labeller import Labeller, LlmReply
from training.llm.parse import LlmOutcome
from training.llm.prompt import Prompt
from training.types import TrainingError

AT_ONCE = 4
MOST_AT_ONCE = 64  # questions; each needs a thread and a connection


@dataclass(frozen=True, slots=True)
class Question:
    """A text and what is asked about it."""

    text: str
    prompt: Prompt


Keep = Callable[[int, LlmReply], None]


def check_concurrency(concurrency: int) -> None:
    """Raise `TrainingError` unless the number of questions under way at once is allowed."""
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


@dataclass(slots=True)
class _UnderWay:
    """A question that was sent, and the numbers of all questions that are equal to it."""

    key: str
    numbers: list[int]
    future: Future[None] | None = None
    answer: LlmReply | None = None

    def ask(self, labeller: Labeller, question: Question) -> None:
        self.answer = labeller.ask(question.text, question.prompt)


@dataclass(slots=True)
class _Asking:
    labeller: Labeller
    keep: Keep
    pool: ThreadPoolExecutor
    under_way: dict[str, _UnderWay] = field(default_factory=dict)
    known: dict[str, LlmReply] = field(default_factory=dict)

    def take(self, number: int, question: Question) -> None:
        """Answer a question from the kept answers, or send it."""
        key = self.labeller.key(question.text, question.prompt)
        known = self.known.get(key) or self.labeller.kept(key)
        if known is not None:
            self.keep(number, known)
        elif key in self.under_way:
            self.under_way[key].numbers.append(number)
        else:
            # NB: it is noted before it is sent, so that an interruption between the two loses no answer.
            self.under_way[key] = sent = _UnderWay(key, [number])
            sent.future = self.pool.submit(sent.ask, self.labeller, question)

    def collect(self, *, leave: int) -> None:
        """Keep answers until at most `leave` questions are under way; raises the error that ends the run."""
        while True:
            futures = {sent.future: sent for sent in self.under_way.values() if sent.future}
            done = [future for future in futures if future.done()]
            for future in done:
                future.result()
                self._keep(futures[future])
            if len(self.under_way) <= leave:
                return
            if not done:
                wait(futures, return_when=FIRST_COMPLETED)

    def finish(self) -> None:
        """Wait for all questions under way and keep their answers; further errors are not raised."""
        self.pool.shutdown(wait=True)
        with ExitStack() as answered:  # an answer that cannot be kept does not lose the others
            for sent in self.under_way.values():
                answered.callback(self._keep, sent)

    def _keep(self, sent: _UnderWay) -> None:
        if sent.answer is None:
            return
        again = replace(sent.answer, calls=(), is_reused=True)  # only one of equal questions was paid for
        self.labeller.keep(sent.key, sent.answer)
        for number in sent.numbers:
            self.keep(number, sent.answer if number == sent.numbers[0] else again)
        if sent.answer.outcome is not LlmOutcome.FAILED:
            self.known[sent.key] = again
        del self.under_way[sent.key]
