"""A checkpoint by its name alone: fetched by the real client from a hub of our own, in Russian letters."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.training.conftest import write_csv
from training.bundles.bundle import read_manifest
from training.tasks import SINGLE
from training.types import Dataset, LabelSchema, LabelSpec

NAME = "some-team/tiny-multilingual"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
WORDS = {"радость": ("счастье", "смех", "праздник"), "печаль": ("слёзы", "грусть", "тоска")}


def write_checkpoint(folder: Path) -> Path:
    """Write an XLM-RoBERTa of two small layers, whose tokenizer knows pieces and no words' ends."""
    torch = pytest.importorskip("torch")
    from tokenizers import Tokenizer
    from tokenizers.models import Unigram
    from tokenizers.pre_tokenizers import Metaspace
    from tokenizers.processors import TemplateProcessing
    from transformers import XLMRobertaConfig, XLMRobertaModel

    pieces = ["<s>", "<pad>", "</s>", "<unk>", *(f"▁{word}" for group in WORDS.values() for word in group)]
    letters = sorted({letter for group in WORDS.values() for word in group for letter in word} | {"▁"})
    tokenizer = Tokenizer(
        Unigram([(piece, -float(i)) for i, piece in enumerate([*pieces, *letters])], unk_id=3)
    )
    tokenizer.pre_tokenizer = Metaspace()
    tokenizer.post_processor = TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    config = XLMRobertaConfig(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=66,
        pad_token_id=1,
    )
    folder.mkdir(parents=True)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        XLMRobertaModel(config).save_pretrained(folder)
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "README.md").write_text("Not wanted.")
    return folder


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[tuple[str, list[str]]]:
    """Serve one repository as the hub does; yield its address and the files that were asked for."""
    folder, asked = write_checkpoint(tmp_path / "remote"), []

    class Hub(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(with_body=True)

        def do_HEAD(self) -> None:
            self._answer(with_body=False)

        def _answer(self, *, with_body: bool) -> None:
            path = self.path.partition("?")[0]
            if path.startswith(f"/api/models/{NAME}"):
                files = [{"rfilename": file.name} for file in sorted(folder.iterdir())]
                body = json.dumps({"id": NAME, "sha": COMMIT, "siblings": files}).encode()
                headers = {"Content-Type": "application/json"}
            elif path.startswith(f"/{NAME}/resolve/{COMMIT}/"):
                body = (folder / path.rpartition("/")[2]).read_bytes()
                headers = {"ETag": f'"{hashlib.sha256(body).hexdigest()}"', "X-Repo-Commit": COMMIT}
                asked.append(path.rpartition("/")[2])
            else:
                self.send_error(404)
                return
            self.send_response(200)
            for name, value in (headers | {"Content-Length": str(len(body))}).items():
                self.send_header(name, value)
            self.end_headers()
            if with_body:
                self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    thread.join()
    server.server_close()


def russian(path: Path, documents: int) -> Path:
    schema = LabelSchema(SINGLE, tuple(LabelSpec(key, key) for key in WORDS))
    answers = [list(WORDS)[i % 2] for i in range(documents)]
    texts = tuple(" ".join(WORDS[answer][(i + j) % 3] for j in range(2)) for i, answer in enumerate(answers))
    return write_csv(path, Dataset(schema, texts, schema.encode([answer] for answer in answers)))


def train(address: str, folder: Path, *more: str) -> subprocess.CompletedProcess[str]:
    """Run the command on Russian texts, with nothing of a hub's at hand yet."""
    data = str(russian(folder / "train.csv", 60))
    command = [sys.executable, "-m", "training", "train", "--train", data, "--test", data]
    command += ["--text", "text", "--label", "label", "--cache", str(folder / "cache")]
    command += ["--out", str(folder / "bundle"), "--json", str(folder / "figures.json"), *more]
    ours = {"HF_ENDPOINT": address, "HF_HOME": str(folder / "home"), "HF_HUB_OFFLINE": "0"}
    environment = os.environ | ours | {"NO_PROXY": "127.0.0.1"}
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300, check=False)


@pytest.mark.parametrize(
    ("family", "settings"),
    [
        ("transformer", ["--set", f"checkpoint={NAME}", "--set", "learning_rate=0.01", "--set", "epochs=8"]),
        ("embedding", ["--encoder", NAME]),
    ],
)
def test_a_name_is_enough(
    family: str, settings: list[str], hub: tuple[str, list[str]], tmp_path: Path
) -> None:
    address, asked = hub
    done = train(address, tmp_path, "--family", family, *settings)
    assert done.returncode == 0, done.stderr
    assert set(asked) == {"config.json", "model.safetensors", "tokenizer.json"}
    assert read_manifest(tmp_path / "bundle").family == family
    figures = json.loads((tmp_path / "figures.json").read_text("utf-8"))
    assert figures["macro_f1"] == 1.0


def test_a_name_that_the_hub_does_not_know_is_a_sentence(hub: tuple[str, list[str]], tmp_path: Path) -> None:
    done = train(hub[0], tmp_path, "--family", "transformer", "--set", "checkpoint=some-team/no-such")
    assert done.returncode == 2
    assert (
        "some-team/no-such was not found as a folder, nor as an installed package, nor on the" in done.stderr
    )
    assert "Give the path of a folder" in done.stderr
