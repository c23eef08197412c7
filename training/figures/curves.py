"""Learning curves as an SVG picture that reads on a light and on a dark page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

Points = Sequence[Mapping[str, float]]

WIDTH, HEIGHT = 720, 440
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 16, 34, 48
_HUES = ("#0b6bcb", "#c2410c", "#15803d", "#7e22ce", "#a16207", "#be185d")
_HUES_DARK = ("#6cb6ff", "#ff9d66", "#6bd38b", "#c99bff", "#e3c04a", "#ff8fc0")
_DASHES = ("", "7 4", "2 4", "10 4 2 4", "4 2", "1 5")  # so that colour is not the only difference


def draw(curves: Mapping[str, Points], *, figure: str = "macro_f1", title: str = "Macro-F1 by labels") -> str:
    """Return the picture of named curves; each point has `labels` and the figure, which lies in [0, 1]."""
    steps = [point["labels"] for points in curves.values() for point in points]
    values = [point[figure] for points in curves.values() for point in points]
    most = max(steps, default=1) or 1
    low = max(0.0, int((min(values, default=0.0) - 0.02) * 10) / 10)
    high = min(1.0, int(max(values, default=1.0) * 10 + 1) / 10)

    def place(point: Mapping[str, float]) -> tuple[float, float]:
        across = _LEFT + point["labels"] / most * (WIDTH - _LEFT - _RIGHT)
        share = (point[figure] - low) / ((high - low) or 1.0)
        return across, HEIGHT - _BOTTOM - share * (HEIGHT - _TOP - _BOTTOM)

    body = [*_grid(low, high, most)]
    for number, (name, points) in enumerate(curves.items()):
        body += _curve(number, [place(point) for point in points])
        body += _legend(number, name)
    return "\n".join([_head(title, len(curves)), *body, "</svg>", ""])


def _head(title: str, curves: int) -> str:
    light = "".join(f".c{i}{{stroke:{_HUES[i % 6]};fill:{_HUES[i % 6]}}}" for i in range(curves))
    dark = "".join(f".c{i}{{stroke:{_HUES_DARK[i % 6]};fill:{_HUES_DARK[i % 6]}}}" for i in range(curves))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">\n'
        f"<title>{escape(title)}</title>\n"
        "<style>text{font:13px system-ui,sans-serif;fill:#1f2328}.grid{stroke:#d0d7de}.bg{fill:#fff}"
        f"polyline{{fill:none!important;stroke-width:2.25}}{light}"
        "@media(prefers-color-scheme:dark){text{fill:#e6edf3}.grid{stroke:#30363d}.bg{fill:#0d1117}"
        f"{dark}}}</style>\n"
        f'<rect class="bg" width="{WIDTH}" height="{HEIGHT}"/>\n'
        f'<text x="{_LEFT}" y="20" font-weight="600">{escape(title)}</text>'
    )


def _grid(low: float, high: float, most: float) -> list[str]:
    lines = []
    for step in range(round((high - low) * 10) + 1):
        y = HEIGHT - _BOTTOM - step / (round((high - low) * 10) or 1) * (HEIGHT - _TOP - _BOTTOM)
        lines.append(f'<line class="grid" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        lines.append(f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{low + step / 10:.1f}</text>')
    for step in range(6):
        x = _LEFT + step / 5 * (WIDTH - _LEFT - _RIGHT)
        anchor = "end" if step == 5 else "middle"
        label = f"{most * step / 5:,.0f}" + (" labels" if step == 5 else "")
        lines.append(f'<text x="{x:.1f}" y="{HEIGHT - _BOTTOM + 20}" text-anchor="{anchor}">{label}</text>')
    return lines


def _curve(number: int, places: Sequence[tuple[float, float]]) -> list[str]:
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    dots = [f'<circle class="c{number}" cx="{x:.1f}" cy="{y:.1f}" r="2.5"/>' for x, y in places]
    return [f'<polyline class="c{number}" stroke-dasharray="{_DASHES[number % 6]}" points="{path}"/>', *dots]


def _legend(number: int, name: str) -> list[str]:
    y = HEIGHT - _BOTTOM - 16 - 20 * number
    x = WIDTH - _RIGHT - 300
    return [
        f'<polyline class="c{number}" stroke-dasharray="{_DASHES[number % 6]}" '
        f'points="{x},{y - 4} {x + 34},{y - 4}"/>',
        f'<text x="{x + 42}" y="{y}">{escape(name)}</text>',
    ]
