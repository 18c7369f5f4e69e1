"""Counts that flow from one column of names to another, as an SVG picture (a Sankey diagram)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from html import escape

WIDTH, BAR, GAP, TALL, LEAST = 760, 14, 16, 360, 1.5
LEFT, RIGHT = 170, WIDTH - 210
COLOURS = ("#0f6fc5", "#d1495b", "#edae49", "#00798c", "#8f6bb3", "#66a182", "#8a96a3", "#c06c84")


def sankey(flows: Mapping[tuple[str, str], int], rights: Sequence[str]) -> str:
    """`flows`: (left, right) -> count; `rights`: the right column from the top, whose order gives the colours."""
    flows = {pair: count for pair, count in flows.items() if count}
    # Equal counts stand in the order of their names: that of a set changes from process to process.
    lefts = sorted(
        {left for left, _ in flows}, key=lambda name: (-sum(n for (one, _), n in flows.items() if one == name), name)
    )
    rights = [name for name in rights if any(right == name for _, right in flows)]
    scale = TALL / max(sum(flows.values()), 1)
    heights = {pair: max(count * scale, LEAST) for pair, count in flows.items()}
    left_at = _places(lefts, {name: sum(h for (one, _), h in heights.items() if one == name) for name in lefts})
    right_at = _places(rights, {name: sum(h for (_, one), h in heights.items() if one == name) for name in rights})
    colours = {name: COLOURS[place % len(COLOURS)] for place, name in enumerate(rights)}
    bands = _bands(lefts, rights, heights, left_at, right_at, colours)
    totals_left, totals_right = Counter[str](), Counter[str]()
    for (left, right), count in flows.items():
        totals_left[left] += count
        totals_right[right] += count
    labels = [_label(LEFT - 8, at, name, totals_left[name], "end") for name, at in left_at.items()]
    labels += [_label(RIGHT + BAR + 8, at, name, totals_right[name], "start") for name, at in right_at.items()]
    bars = [_bar(LEFT, at, "#5b6773") for at in left_at.values()]
    bars += [_bar(RIGHT, at, colours[name]) for name, at in right_at.items()]
    bottom = max([top + height for top, height in (*left_at.values(), *right_at.values())], default=0) + 12
    body = "\n".join([*bands, *bars, *labels])
    return f'<svg viewBox="0 0 {WIDTH} {bottom:.0f}" role="img" font-size="12" fill="#1f2933">\n{body}\n</svg>'


Places = dict[str, tuple[float, float]]


def _places(names: Sequence[str], heights: Mapping[str, float]) -> Places:
    """Name -> top and height of its bar."""
    places, top = {}, 10.0
    for name in names:
        places[name] = (top, heights[name])
        top += heights[name] + GAP
    return places


def _bands(
    lefts: Sequence[str],
    rights: Sequence[str],
    heights: Mapping[tuple[str, str], float],
    left_at: Places,
    right_at: Places,
    colours: Mapping[str, str],
) -> list[str]:
    """One curved band for each flow, stacked along both bars."""
    left_used = {name: top for name, (top, _) in left_at.items()}
    right_used = {name: top for name, (top, _) in right_at.items()}
    bands = []
    for left in lefts:
        for right in rights:
            if (left, right) not in heights:
                continue
            height = heights[left, right]
            begin, end = left_used[left] + height / 2, right_used[right] + height / 2
            left_used[left] += height
            right_used[right] += height
            middle = (LEFT + BAR + RIGHT) / 2
            path = f"M{LEFT + BAR} {begin:.1f}C{middle} {begin:.1f} {middle} {end:.1f} {RIGHT} {end:.1f}"
            stroke = f'stroke="{colours[right]}" stroke-width="{height:.1f}"'
            bands.append(f'<path d="{path}" fill="none" {stroke} stroke-opacity=".45"/>')
    return bands


def _bar(x: float, at: tuple[float, float], colour: str) -> str:
    return f'<rect x="{x}" y="{at[0]:.1f}" width="{BAR}" height="{at[1]:.1f}" fill="{colour}"/>'


def _label(x: float, at: tuple[float, float], name: str, count: int, anchor: str) -> str:
    y = at[0] + at[1] / 2 + 4
    return f'<text x="{x}" y="{y:.1f}" text-anchor="{anchor}">{escape(name)} {count:,}</text>'
