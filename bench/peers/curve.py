"""The picture of learning curves that were measured, Winnow's and those of peers.

    python bench/peers/curve.py "NAME=FILE" "NAME=FILE" --most 1000 --svg OUT

Each file is the JSON of `python -m training simulate` or of `bench/peers/measure.py`; a band is one standard
deviation between seeds.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

if not __package__:
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

from training.cli.simulate import read_curves
from training.figures.curves import draw


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("curves", nargs="+", metavar="NAME=FILE")
    parser.add_argument("--most", type=int, default=1000, help="labels; what lies beyond is left out")
    parser.add_argument("--svg", type=Path, required=True)
    options = parser.parse_args()
    means, spreads = read_curves(options.curves)
    shown = {
        name: [point for point in points if point["labels"] <= options.most] for name, points in means.items()
    }
    options.svg.write_text(draw(shown, spreads=spreads), encoding="utf-8")


if __name__ == "__main__":
    main()
