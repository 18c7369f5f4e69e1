"""A lineage drawn as SVG, or as a page with the SVG and a table in it: nothing is fetched to look at it."""

from __future__ import annotations

from html import escape
from pathlib import Path

from components.errors import ParameterError
from flows.lineage.graph import Graph, Node

COLORS = {
    "data": "#e8e8e8",
    "row": "#e8e8e8",
    "corpus": "#dcebf7",
    "task": "#dcebf7",
    "tokens": "#dcebf7",
    "tokenizer": "#dcebf7",
    "verdict": "#f4f4f4",
    "pretrained": "#e3f1dc",
    "classifier": "#e3f1dc",
    "onnx": "#fbf0d4",
    "quantized": "#fbf0d4",
    "bundle": "#fbe3d4",
    "version": "#f7dce6",
    "run": "#ece4f5",
    "server": "#d8f0ec",
    "answer": "#d8f0ec",
}
"""Of a node by its kind."""
WIDTH, HEIGHT, ACROSS, DOWN, EDGE = 230, 50, 60, 16, 16
"""Of a box, between two columns and two boxes, and around all: in pixels."""
LETTERS, BOLD = 34, 28
"""Of a line in a box, and of its title."""


def write_picture(path: Path, graph: Graph, start: str) -> None:
    """Draw a lineage into FILE.svg or FILE.html. Raises ParameterError where nothing can be written."""
    title = f"The lineage of {graph.nodes[start].name}"
    drawing = svg(graph, start)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".svg":
            path.write_text(drawing, encoding="utf-8")
        else:
            from components.evaluation.page import table, write_html

            rows = [(node.kind, node.name, "; ".join(node.facts)) for node in graph.ordered()]
            parts = [f"<h1>{escape(title)}</h1>", f'<div style="overflow-x:auto">{drawing}</div>']
            write_html(path, title, [*parts, table(["kind", "name", "facts"], rows)])
    except OSError as error:
        raise ParameterError(f"{path}: cannot be written: {error.strerror}") from None


def svg(graph: Graph, start: str) -> str:
    """Inputs left, what came of them right; the start has a thick frame."""
    places = _places(graph)
    width = max(x for x, _ in places.values()) + WIDTH + EDGE
    height = max(y for _, y in places.values()) + HEIGHT + EDGE
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
    parts = [f'{head} font-family="system-ui, sans-serif" font-size="12" role="img">']
    parts.append('<rect width="100%" height="100%" fill="white"/>')
    for link in sorted(graph.links, key=lambda link: (link.source, link.target)):
        (x, y), (to_x, to_y) = places[link.source], places[link.target]
        x, y, to_y = x + WIDTH, y + HEIGHT // 2, to_y + HEIGHT // 2
        bend = ACROSS // 2
        parts.append(
            f'<path d="M{x} {y} C{x + bend} {y} {to_x - bend} {to_y} {to_x} {to_y}" fill="none" stroke="#888">'
            f"<title>{escape(link.role)}</title></path>"
        )
    parts += [_box(node, *places[node.key], node.key == start) for node in graph.ordered()]
    return "\n".join([*parts, "</svg>"]) + "\n"


def _places(graph: Graph) -> dict[str, tuple[int, int]]:
    """Left upper corners: a column for each depth."""
    depths, column = graph.depths(), dict[int, int]()
    places = {}
    for node in graph.ordered():
        depth = depths[node.key]
        row = column[depth] = column.get(depth, -1) + 1
        places[node.key] = (EDGE + depth * (WIDTH + ACROSS), EDGE + row * (HEIGHT + DOWN))
    return places


def _box(node: Node, x: int, y: int, is_start: bool) -> str:
    frame, fill = (3 if is_start else 1), COLORS.get(node.kind, "#ffffff")
    second = _short(f"{node.kind}: {', '.join(node.facts)}" if node.facts else node.kind, LETTERS)
    first = escape(_short(node.name, BOLD))
    return (
        f"<g><title>{escape('; '.join((node.kind, node.name, *node.facts)))}</title>"
        f'<rect x="{x}" y="{y}" width="{WIDTH}" height="{HEIGHT}" rx="6" fill="{fill}" stroke="#444" '
        f'stroke-width="{frame}"/><text x="{x + 10}" y="{y + 20}" font-weight="600">{first}</text>'
        f'<text x="{x + 10}" y="{y + 38}" fill="#444" font-size="11">{escape(second)}</text></g>'
    )


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
