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


def draw(
    curves: Mapping[str, Points],
    *,
    spreads: Mapping[str, Points] | None = None,
    figure: str = "macro_f1",
    title: str = "Macro-F1 by labels",
) -> str:
    """Return the picture of named curves; each point has `labels` and the figure, which lies in [0, 1].

    A curve of a name in `spreads` has a band of one standard deviation, which points there hold as `figure`.
    """
    steps = [point["labels"] for points in curves.values() for point in points]
    values = [point[figure] for points in curves.values() for point in points]
    most = max(steps, default=1) or 1
    low = max(0.0, int((min(values, default=0.0) - 0.02) * 10) / 10)
    high = min(1.0, int(max(values, default=1.0) * 10 + 1) / 10)

    def place(point: Mapping[str, float]) -> tuple[float, float]:
        across = _LEFT + point["labels"] / most * (WIDTH - _LEFT - _RIGHT)
        share = (point[figure] - low) / ((high - low) or 1.0)
        return across, HEIGHT - _BOTTOM - share * (HEIGHT - _TOP - _BOTTOM)

    body = []
    for step in range(round((high - low) * 10) + 1):
        y = HEIGHT - _BOTTOM - step / (round((high - low) * 10) or 1) * (HEIGHT - _TOP - _BOTTOM)
        body.append(f'<line class="grid" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        body.append(f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{low + step / 10:.1f}</text>')
    for step in range(6):
        x = _LEFT + step / 5 * (WIDTH - _LEFT - _RIGHT)
        anchor = "end" if step == 5 else "middle"
        label = f"{most * step / 5:,.0f}" + (" labels" if step == 5 else "")
        body.append(f'<text x="{x:.1f}" y="{HEIGHT - _BOTTOM + 20}" text-anchor="{anchor}">{label}</text>')
    for number, (name, points) in enumerate(curves.items()):
        places = [place(point) for point in points]
        line = f'<polyline class="c{number}" stroke-dasharray="{_DASHES[number % 6]}" points='
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        if spread := {point["labels"]: point[figure] for point in (spreads or {}).get(name, ())}:
            edges = [
                [place({**point, figure: point[figure] + sign * spread[point["labels"]]}) for point in points]
                for sign in (1, -1)
            ]
            around = " ".join(f"{x:.1f},{y:.1f}" for x, y in [*edges[0], *reversed(edges[1])])
            body.append(f'<polygon class="c{number}" points="{around}"/>')
        body.append(f'{line}"{path}"/>')
        radius = 2.5 if len(places) > 1 else 5  # a single point has no line by which it would be seen
        body += [f'<circle class="c{number}" cx="{x:.1f}" cy="{y:.1f}" r="{radius}"/>' for x, y in places]
        # The legend stands in the lower right corner, one line above the other.
        left, base = WIDTH - _RIGHT - 300, HEIGHT - _BOTTOM - 16 - 20 * number
        if len(places) > 1:
            body.append(f'{line}"{left},{base - 4} {left + 34},{base - 4}"/>')
        else:
            body.append(f'<circle class="c{number}" cx="{left + 17}" cy="{base - 4}" r="{radius}"/>')
        body.append(f'<text x="{left + 42}" y="{base}">{escape(name)}</text>')
    return "\n".join([_head(title, len(curves)), *body, "</svg>", ""])


def _head(title: str, curves: int) -> str:
    light = "".join(f".c{i}{{stroke:{_HUES[i % 6]};fill:{_HUES[i % 6]}}}" for i in range(curves))
    dark = "".join(f".c{i}{{stroke:{_HUES_DARK[i % 6]};fill:{_HUES_DARK[i % 6]}}}" for i in range(curves))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">\n'
        f"<title>{escape(title)}</title>\n"
        "<style>text{font:13px system-ui,sans-serif;fill:#1f2328}.grid{stroke:#d0d7de}.bg{fill:#fff}"
        f"polyline{{fill:none!important;stroke-width:2.25}}{light}"
        "polygon{stroke:none!important;fill-opacity:.18}"
        "@media(prefers-color-scheme:dark){text{fill:#e6edf3}.grid{stroke:#30363d}.bg{fill:#0d1117}"
        f"{dark}}}</style>\n"
        f'<rect class="bg" width="{WIDTH}" height="{HEIGHT}"/>\n'
        f'<text x="{_LEFT}" y="20" font-weight="600">{escape(title)}</text>'
    )
