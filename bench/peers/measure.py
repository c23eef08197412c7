"""What another tool reaches on the same split, inside an environment that this command makes for it.

    python bench/peers/measure.py small_text --train F --test F --text COL --label COL --json OUT
    python bench/peers/measure.py setfit --train F --test F --text COL --label COL --seeds 1 --json OUT

The packages of `bench/peers/PEER.txt` are installed under --env, once. The JSON has the form of
`python -m training simulate`, so that `bench/peers/curve.py` draws both.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import venv
from pathlib import Path

if not __package__:
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

from training.cli.simulate import mean_points, spread_points

HERE = Path(__file__).resolve().parent
PROGRAMS = {"small_text": "breaking_ties.py", "setfit": "few_shot.py"}


def main() -> None:
    options = _arguments()
    python = prepare(options.env / options.peer, HERE / f"{options.peer}.txt")
    files = [options.train, options.test, options.text, options.label, str(options.seeds), options.json]
    if options.peer == "setfit":
        files.append(str(options.iterations))
    # One thread, so that the same seeds give the same figures on any number of cores.
    environment = os.environ | {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "0"}
    subprocess.run([python, HERE / PROGRAMS[options.peer], *files], env=environment, check=True)
    report = json.loads(options.json.read_text(encoding="utf-8"))
    report |= {"mean": mean_points(report["curves"]), "spread": spread_points(report["curves"])}
    freeze = [python, "-m", "pip", "--disable-pip-version-check", "freeze"]
    report["packages"] = subprocess.run(freeze, check=True, capture_output=True, text=True).stdout.split("\n")
    options.json.write_text(json.dumps(report, indent=1), encoding="utf-8")
    print(json.dumps({key: report[key] for key in ("settings", "mean", "spread", "machine")}))


def prepare(folder: Path, requirements: Path) -> Path:
    """Return the Python of an environment that has what the file asks for, made first if it is not there."""
    python, installed = folder / "bin" / "python", folder / requirements.name
    wanted = requirements.read_text(encoding="utf-8")
    if not installed.is_file() or installed.read_text(encoding="utf-8") != wanted:
        venv.create(folder, clear=True, symlinks=True, with_pip=True)
        pip = [python, "-m", "pip", "install", "--disable-pip-version-check", "-q"]
        subprocess.run([*pip, "-r", requirements], check=True)
        # Written last: an installation that was broken off is begun again.
        installed.write_text(wanted, encoding="utf-8")
    return python


def _arguments() -> argparse.Namespace:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "winnow" / "peers"
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("peer", choices=sorted(PROGRAMS))
    parser.add_argument("--train", type=Path, required=True, help="a CSV file of labelled texts")
    parser.add_argument("--test", type=Path, required=True, help="another one, to measure on")
    parser.add_argument("--text", required=True)
    parser.add_argument("--label", required=True)
    parser.add_argument("--seeds", type=int, default=10, help="how many, from 0 on")
    parser.add_argument("--iterations", type=int, default=20, help="SetFit's: pairs of each kind a text")
    parser.add_argument("--env", type=Path, default=cache, help=f"default: {cache}")
    parser.add_argument("--json", type=Path, required=True)
    return parser.parse_args()


if __name__ == "__main__":
    main()
