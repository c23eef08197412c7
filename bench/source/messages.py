"""Every sentence of the site in every language: `python -m bench.source.messages`, or `make messages`.

Collects what templates, the site and the library say to people, brings each catalogue in
`annotate/locale/` up to date, and compiles it. What is new stands there with an empty translation; what is
no longer said is dropped. It needs no gettext tools.
"""

from __future__ import annotations

import argparse
import ast
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import polib
from django.utils.translation.template import templatize

from training.registry import CHOOSER, ENCODER_TUNER, FAMILIES, STRATEGIES

ROOT = Path(__file__).resolve().parent.parent.parent
LOCALE = ROOT / "annotate" / "locale"
PLURALS = {"ngettext", "ngettext_lazy"}
CONTEXTS = {"pgettext", "pgettext_lazy"}
CALLS = {"_", "gettext", "gettext_lazy", "gettext_noop"} | PLURALS | CONTEXTS
LITERAL = r"\s*u?('(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\")\s*"
# What Django makes of a template: the calls that the tags stand for, and nothing else that can be read.
CALL = re.compile(rf"(?<![\w.])(ngettext|pgettext|gettext|_)\({LITERAL}(?:,{LITERAL})?", re.DOTALL)
# What people read of the library is a whole sentence; its commands speak English.
SENTENCE = re.compile(r"[A-Z“{][^<\n]* [^<\n]* [^<\n]*[.]")
OF_COMMANDS = {"cli", "__main__.py"}
# Modules whose sentences are put together of parts, which are translated each.
IN_PARTS = {"evidence.py", "onnx.py", "recommend.py"}
PART = re.compile(r"[a-z{][^<\n]* [^<\n]* [^<\n]*[^.:;, \n]")
# Sentences that models read: prompts, names of labels in use, texts to compare an export on.
OF_MODELS = {"agreement.py", "names.py", "prompt.py"}


Key = tuple[str, str]


class Message(NamedTuple):
    """A sentence in English, with its plural where it counts something, and which meaning is meant."""

    msgid: str
    plural: str = ""
    context: str = ""

    @property
    def key(self) -> Key:
        return self.context, self.msgid


def of_template(text: str) -> Iterator[Message]:
    for name, first, second in CALL.findall(templatize(text)):
        # NB: by the name, as a value may stand behind a sentence that counts nothing.
        known = name in PLURALS | CONTEXTS
        yield _message(name, [ast.literal_eval(word) for word in (first, second)[: 1 + known]])


def of_python(text: str) -> Iterator[Message]:
    calls = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)]
    for node in sorted(calls, key=lambda node: (node.lineno, node.col_offset)):
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if name not in CALLS:
            continue
        wanted = node.args[: 1 + (name in PLURALS | CONTEXTS)]
        words = [str(arg.value) for arg in wanted if isinstance(arg, ast.Constant)]
        if words and len(words) == len(wanted):
            yield _message(name, words)


def _message(name: str, words: list[str]) -> Message:
    return Message(words[1], context=words[0]) if name in CONTEXTS else Message(*words)


def of_registry() -> Iterator[Message]:
    """Yield titles and helps of families, strategies and options; the library knows no gettext itself."""
    for entry in (*FAMILIES.values(), *STRATEGIES.values(), CHOOSER, ENCODER_TUNER):
        yield Message(entry.title)
    for family in FAMILIES.values():
        yield Message(family.help)
        for option in family.options:
            yield Message(option.title)
            yield from (Message(title) for _value, title in option.choices)


def of_library(text: str, *, in_parts: bool = False) -> Iterator[Message]:
    """Yield the sentences of a module of the library, each value in one as a place named after it."""
    tree = ast.parse(text)
    silent = set(_docstrings(tree))
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            silent |= {id(part) for part in ast.walk(node)} - {id(node)}
        said = "" if id(node) in silent else _sentence(node)
        if SENTENCE.fullmatch(said) or (in_parts and PART.fullmatch(said)):
            yield Message(said)


def _docstrings(tree: ast.AST) -> Iterator[int]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            yield id(node.value)


def _sentence(node: ast.AST) -> str:
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    if not isinstance(node, ast.JoinedStr):
        return ""
    said, names = "", Counter[str]()
    for part in node.values:
        if isinstance(part, ast.FormattedValue):
            name = _name(part.value)
            names[name] += 1
            said += f"{{{name}{names[name] if names[name] > 1 else ''}}}"
        elif isinstance(part, ast.Constant):
            said += str(part.value)
    return said


def _name(value: ast.expr) -> str:
    """Name a place after what its value is read from: the last name, or that of a call's argument."""
    if isinstance(value, ast.Call) and value.args:
        return _name(value.args[0])
    words = re.findall(r"[A-Za-z_]\w*", ast.unparse(value).partition("[")[0].partition("(")[0])
    return words[-1].strip("_").lower() if words else "value"


def collect(root: Path = ROOT) -> dict[Key, Message]:
    """Return each message by its English sentence and context, in the order of the files that say them."""
    found: dict[Key, Message] = {}
    for said in _all(root):
        # One place may count and another not; the one that counts knows more.
        if said.msgid and (said.key not in found or said.plural):
            found[said.key] = said
    return found


def _all(root: Path) -> Iterator[Message]:
    for path in sorted((root / "templates").rglob("*.html")):
        yield from of_template(path.read_text(encoding="utf-8"))
    for path in sorted((root / "annotate").rglob("*.py")):
        if "migrations" not in path.parts:
            yield from of_python(path.read_text(encoding="utf-8"))
    yield from of_registry()
    for path in sorted((root / "training").rglob("*.py")):
        if not (OF_COMMANDS | OF_MODELS) & {*path.parts, path.name}:
            yield from of_library(path.read_text(encoding="utf-8"), in_parts=path.name in IN_PARTS)


def catalogues() -> Iterable[Path]:
    return sorted(LOCALE.glob("*/LC_MESSAGES/django.po"))


def read(path: Path) -> polib.POFile:
    return polib.pofile(str(path), wrapwidth=0)


def update(catalogue: polib.POFile, said: dict[Key, Message]) -> list[polib.POEntry]:
    """Bring a catalogue's entries up to date, in place, and return those that want a translation."""
    known = {key(entry): entry for entry in catalogue}
    count = _forms(catalogue)
    entries = [_entry(known.get(message.key), message, count) for message in said.values()]
    catalogue[:] = entries
    return [entry for entry in entries if not is_translated(entry)]


def key(entry: polib.POEntry) -> Key:
    return entry.msgctxt or "", entry.msgid


def is_translated(entry: polib.POEntry) -> bool:
    """Tell whether nothing of an entry is missing or only guessed."""
    texts = entry.msgstr_plural.values() if entry.msgid_plural else [entry.msgstr]
    return all(texts) and bool(texts) and not entry.fuzzy


def _forms(catalogue: polib.POFile) -> int:
    found = re.search(r"nplurals=(\d+)", catalogue.metadata.get("Plural-Forms", ""))
    return int(found[1]) if found else 2


def _entry(before: polib.POEntry | None, message: Message, count: int) -> polib.POEntry:
    if before is not None and before.msgid_plural == message.plural:
        return before
    if not message.plural:
        return polib.POEntry(msgid=message.msgid, msgstr="", msgctxt=message.context or None)
    forms = dict.fromkeys(range(count), "")
    return polib.POEntry(msgid=message.msgid, msgid_plural=message.plural, msgstr_plural=forms)


def main(arguments: list[str] | None = None) -> int:
    argparse.ArgumentParser(description=__doc__).parse_args(arguments)
    said, missing = collect(), 0
    for path in catalogues():
        catalogue = read(path)
        wanted = update(catalogue, said)
        catalogue.save(str(path))
        catalogue.save_as_mofile(str(path.with_suffix(".mo")))
        for entry in wanted:
            print(f"{path.parent.parent.name}: not translated: {entry.msgid}")
        missing += len(wanted)
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
