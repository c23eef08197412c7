"""The demo's texts as they are read out of their archive."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from annotate.services.demo import texts

Pack = Callable[[Mapping[str, bytes]], bytes]


def test_each_source_gives_as_many_sentences_and_always_the_same(
    archive: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(texts, "FROM_EACH", 20)
    found = list(texts.read(archive))
    assert Counter(sentence.source for sentence in found) == dict.fromkeys(texts.SOURCES.values(), 20)
    assert found == list(texts.read(archive))
    keys = [int(sentence.key.removeprefix("film-")) for sentence in found if sentence.source == "film"]
    assert keys != sorted(keys)  # neighbours of the table are not taken together
    assert max(keys) > 20


def test_a_line_holds_a_key_a_rating_and_a_text(pack_tables: Pack) -> None:
    tables = dict.fromkeys(texts.SOURCES, b"")
    tables["tweets_GroundTruth.txt"] = b"7\t-1.5\tBad &amp; sad\ttoo\r\n8\t2.0\t  \n"
    tables["nytEditorialSnippets_GroundTruth.txt"] = b"9\t0.0\tThe \x93law\x94"
    assert list(texts.read(pack_tables(tables))) == [
        texts.Rated("tweet-7", "Bad & sad\ttoo", "tweet", -1.5),
        texts.Rated("news-9", "The “law”", "news", 0.0),
    ]


def test_an_archive_that_is_not_the_expected_one_is_not_read(
    tmp_path: Path, archive: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / texts.ARCHIVE).write_bytes(archive)
    monkeypatch.setattr(texts, "_download", lambda folder: None)
    with pytest.raises(texts.Unavailable, match="is not the archive that was expected"):
        texts.archive(tmp_path)
