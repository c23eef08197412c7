from __future__ import annotations


class Refused(Exception):
    """A change that a project does not take; the message is a sentence that the lead reads as it is."""
