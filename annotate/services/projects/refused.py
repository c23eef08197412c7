from __future__ import annotations


class Refused(Exception):
    """A change that a project does not take; the message is a sentence that the lead reads as it is.

    `field` names what of the request it is about, where that is one thing.
    """

    def __init__(self, sentence: str, field: str | None = None) -> None:
        super().__init__(sentence)
        self.field = field
