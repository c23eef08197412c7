"""Which encoding a file is in: by its letters where it is short, and what becomes of bytes that are none."""

from __future__ import annotations

from pathlib import Path

import pytest

from training.records import Options, Row, read, sample

TEXTS = {
    "cp1252": [
        "déjà vu – naïve, € 5 for café",
        "Où est-il allé à midi ? Ça alors !",
        "Die Straße ist größer als früher, schöne Grüße aus Köln",
        "¿Dónde está el niño? Mañana será otro día, señor",
        "Perché la città è così bella? Però non è più lì",
        "Não há informações, a opção não está disponível às vezes",
        "Det är mycket svårt för honom att gå på gatan",
        "Jeg er på vej til en ø, så det går godt. Rød grød med fløde",
        "Það er mjög gott að vera í þessu húsi",
        "a room of 20 m², £5 a night – and no “extras”",
    ],
    "cp1250": [
        "Zażółć gęślą jaźń, proszę się nie śmiać",
        "Łódź jest piękna",
        "Příliš žluťoučký kůň úpěl ďábelské ódy",
        "Ďakujem veľmi pekne, čakám na ďalšie",
        "Árvíztűrő tükörfúrógép, nagyon jó minőségű termék",
        "Proizvod je stigao na vrijeme, šaljite češće, hvala već",
        "Produsul este foarte bun, a ajuns fără probleme şi ţine mult",
    ],
    "cp1254": ["Ürün çok güzel, teşekkür ederim, kargo hızlı geldi"],
    "cp1257": ["Labai geras produktas, ačiū už greitą pristatymą"],
    "cp1251": [
        "привет мир",
        "Съешь ещё этих мягких французских булок",
        "Дуже дякую, товар прийшов вчасно, їжа була смачною",
        "Много съм доволен от продукта, пристигна навреме",
        "ОЧЕНЬ ХОРОШИЙ ТОВАР",
    ],
    "koi8_r": ["привет мир", "Съешь ещё этих мягких французских булок"],
    "cp866": ["Съешь ещё этих мягких французских булок"],
    "cp1253": ["Πολύ καλό προϊόν, έφτασε γρήγορα και χωρίς πρόβλημα"],
    "cp1255": ["מוצר טוב מאוד, הגיע בזמן"],
    "cp1256": ["المنتج جيد جدا ووصل في الوقت المحدد"],
    "shift_jis": ["とても良い商品です。早く届きました"],
    "gb18030": ["产品很好，很快就到了，谢谢。我会再来买的"],
    "euc_kr": ["제품이 아주 좋아요 빨리 왔어요"],
}


def texts(tmp_path: Path, content: bytes, **options: object) -> list[object]:
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    return [row.cells.get("text") for row in read(path, Options(**options))]  # type: ignore[arg-type]


@pytest.mark.parametrize("copies", [1, 30])
@pytest.mark.parametrize(
    ("encoding", "text"), [(encoding, text) for encoding, known in TEXTS.items() for text in known]
)
def test_a_short_text_is_read_in_the_encoding_that_has_its_letters(
    tmp_path: Path, encoding: str, text: str, copies: int
) -> None:
    content = "id,text,label\n" + "".join(f'{i},"{text}",a\n' for i in range(copies))
    assert texts(tmp_path, content.encode(encoding)) == [text] * copies


def test_letters_that_western_and_central_european_text_share_are_western(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes("text\ncafé\n".encode("cp1252"))
    assert sample(path, 1)[1].encoding == "cp1252"


def test_a_foreign_name_in_western_text_does_not_make_it_central_european(tmp_path: Path) -> None:
    # Slovak would have every letter of it, as "ŕ" and "č", and the name's "ä", which French has not.
    text = "Hägar a déjà été très près de là et à côté de l’école"
    assert texts(tmp_path, f"text,label\n{text},a\n".encode("cp1252")) == [text]


def test_a_byte_order_mark_is_no_letter_of_the_first_column_where_utf_8_was_declared(tmp_path: Path) -> None:
    assert texts(tmp_path, "text\nà\n".encode("utf-8-sig"), encoding="utf-8") == ["à"]
    assert texts(tmp_path, "text\nà\n".encode("utf-8-sig"), encoding="UTF8") == ["à"]


@pytest.mark.parametrize("broken", [b"\x00\xd8", b"\x00\xdc"])
def test_half_a_character_of_utf_16_costs_its_row_only(tmp_path: Path, broken: bytes) -> None:
    text = "text\nfirst one\nbroken XX here\nlast one\n".encode("utf-16-le")
    found = rows(tmp_path, text.replace("XX".encode("utf-16-le"), broken + "X".encode("utf-16-le")))
    assert [bool(row.faults) for row in found] == [False, True, False]


def test_a_file_of_utf_16_that_lacks_its_last_byte_is_read(tmp_path: Path) -> None:
    found = rows(tmp_path, "text\nfirst one\nlast one".encode("utf-16")[:-1])
    assert [bool(row.faults) for row in found] == [False, True]


def rows(tmp_path: Path, content: bytes) -> list[Row]:
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    return list(read(path))


@pytest.mark.parametrize("mark", ["\v", "\f", "\x1c", "\x1d", "\x1e", "\x1f", "\x85", "\u2028"])
def test_a_control_character_within_a_text_is_read_and_ends_no_line(tmp_path: Path, mark: str) -> None:
    content = f"text,label\none {mark} two,a\nthree {mark} four,b\n".encode()
    assert texts(tmp_path, content) == [f"one {mark} two", f"three {mark} four"]


def test_line_ends_may_be_mixed(tmp_path: Path) -> None:
    assert texts(tmp_path, b"text,label\r\none,a\rtwo,b\nthree,c") == ["one", "two", "three"]
