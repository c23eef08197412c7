"""Tells which languages an encoder was made for, by the number of pieces that it cuts their words into."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from tokenizers import Tokenizer

FOREIGN = 2.5  # pieces a word; an English vocabulary needs 1.0 for English, 1.7 for German, 3.6 for Russian
_TEXTS = 300  # of a dataset that are looked at
_WORD = re.compile(r"\w+")

# Languages by a checkpoint's own card, where its vocabulary alone would suggest more.
KNOWN = {
    "sentence-transformers/all-MiniLM-L6-v2": ("en",),
    "sentence-transformers/all-MiniLM-L12-v2": ("en",),
    "sentence-transformers/all-mpnet-base-v2": ("en",),
}

# An everyday question in each language that a project can require.
SAMPLES = {
    "ar": "أين طلبي ومتى سيصل إلى المنزل",
    "cs": "Kde je moje objednávka a kdy přijde domů",
    "de": "Wo ist meine Bestellung und wann kommt sie zu Hause an",
    "el": "Πού είναι η παραγγελία μου και πότε θα φτάσει στο σπίτι",
    "en": "Where is my order and when will it arrive at home",
    "es": "Dónde está mi pedido y cuándo llegará a casa",
    "fr": "Où est ma commande et quand arrivera-t-elle à la maison",
    "he": "איפה ההזמנה שלי ומתי היא תגיע הביתה",
    "it": "Dove è il mio ordine e quando arriverà a casa",
    "nl": "Waar is mijn bestelling en wanneer komt die thuis aan",
    "pl": "Gdzie jest moje zamówienie i kiedy dotrze do domu",
    "pt": "Onde está o meu pedido e quando vai chegar em casa",
    "ru": "Где мой заказ и когда он придёт домой",
    "tr": "Siparişim nerede ve ne zaman eve ulaşacak",
    "uk": "Де моє замовлення і коли воно прийде додому",
}


def pieces_per_word(tokenizer: Tokenizer, texts: Sequence[str]) -> float:
    """Return the mean number of tokens that a word becomes; 0 for texts without words.

    A vocabulary that was learned from a language keeps most of its words whole (Rust et al., 2021).
    """
    step = max(1, len(texts) // _TEXTS)
    words = [word for text in texts[::step] for word in _WORD.findall(text)]
    if not words:
        return 0.0
    encoded = tokenizer.encode_batch(words, add_special_tokens=False)
    unknown = getattr(tokenizer.model, "unk_token", None)
    # An unknown word becomes one token that says nothing, so it counts as many pieces as it has letters.
    pieces = [
        len(word) if unknown in found.tokens else len(found.tokens)
        for word, found in zip(words, encoded, strict=True)
    ]
    return sum(pieces) / len(words)


def languages(tokenizer: Tokenizer, name: str) -> tuple[str, ...]:
    """Return the codes of `SAMPLES` that a checkpoint covers, by its card or else by its vocabulary."""
    if name in KNOWN:
        return KNOWN[name]
    return tuple(code for code, text in SAMPLES.items() if pieces_per_word(tokenizer, [text]) <= FOREIGN)


def foreign_note(tokenizer: Tokenizer, texts: Sequence[str]) -> str:
    """Return a sentence where the texts are not of the encoder's languages, else ""."""
    pieces = pieces_per_word(tokenizer, texts)
    if pieces <= FOREIGN:
        return ""
    return (
        f"The encoder cuts a word of these texts into {pieces:.1f} pieces: it was made for other languages, "
        "so choose a multilingual checkpoint or one of this language."
    )


def open_tokenizer(file: Path) -> Tokenizer:
    """Return a `tokenizer.json` without padding and truncation."""
    tokenizer = Tokenizer.from_file(str(file))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer
