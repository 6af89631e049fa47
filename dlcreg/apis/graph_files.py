"""The graph of a config as a picture: SVG, or text for Mermaid."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dlcreg.builder.graph import ConfigGraph, Edge, Node
from dlcreg.errors import DlcregError
from dlcreg.files import write_text

_LETTER, _LINE, _PAD = 6.6, 16, 10  # pixels: width of a letter, height of a line, around the text
_ACROSS, _DOWN = 36, 30  # pixels between boxes
_WIDEST = 52  # letters in a line of a box
_COLOURS = {
    "data set": "#e3f0fb", "backbone": "#fdeacc", "neck": "#fdf3d0", "head": "#fbe0dd",
    "codec": "#e6f4e1", "loss": "#f3e3f5", "optimizer": "#e8e8ef", "metrics": "#e0f2f0",
}  # fmt: skip


@dataclass
class Box:
    """One box of the picture.

    Args:
        key: path of its part.
        title: the class.
        kind: the kind of part.
        lines: what else stands in it.
    """

    key: str
    title: str
    kind: str
    lines: list[str] = field(default_factory=list)


def write_graph(graph: ConfigGraph, path: str | Path) -> Path:
    """Write the graph as a picture (``.svg``) or as text for Mermaid (``.mmd``, ``.mermaid``).

    Raises:
        DlcregError: another suffix, or the file cannot be written.
    """
    path = Path(path)
    writer = _WRITERS.get(path.suffix.lower())
    if writer is None:
        raise DlcregError(f"{path}: a graph is written as {', '.join(_WRITERS)}.")
    write_text(path, writer(graph))
    return path


def mermaid_text(graph: ConfigGraph) -> str:
    """Return the graph as a flow chart for Mermaid (https://mermaid.js.org)."""
    boxes, edges = boxes_of(graph)
    names = {box.key: f"n{index}" for index, box in enumerate(boxes)}
    lines = ["flowchart TD"]
    for box in boxes:
        text = "<br/>".join([f"<b>{_quoted(box.title)}</b>", *map(_quoted, box.lines)])
        lines.append(f'    {names[box.key]}["{text}"]')
    for edge in edges:
        words = "<br/>".join(map(_quoted, edge.words))
        arrow = f'-->|"{words}"|' if words else "-->"
        lines.append(f"    {names[edge.source]} {arrow} {names[edge.target]}")
    for box in boxes:
        if box.kind in _COLOURS:
            lines.append(f"    style {names[box.key]} fill:{_COLOURS[box.kind]},stroke:#667")
    return "\n".join(lines) + "\n"


def svg_text(graph: ConfigGraph) -> str:
    """Return the graph as an SVG picture, laid out in rows from the data to the losses."""
    boxes, edges = boxes_of(graph)
    rows = _rows(boxes, edges)
    sizes = {box.key: _size(box) for box in boxes}
    widths = [sum(sizes[b.key][0] for b in row) + _ACROSS * (len(row) - 1) for row in rows]
    width = max(widths, default=0) + 2 * _ACROSS
    places: dict[str, tuple[float, float]] = {}
    y = float(_DOWN)
    for number, row in enumerate(rows):
        x = (width - widths[number]) / 2
        for box in row:
            places[box.key] = (x, y)
            x += sizes[box.key][0] + _ACROSS
        below = {box.key for box in rows[number + 1]} if number + 1 < len(rows) else set()
        words = [len(e.words) for e in edges if e.target in below]
        between = _DOWN + _LINE * (max(words, default=0) + 1)
        y += max(sizes[box.key][1] for box in row) + between
    body = [_line(edge, places, sizes) for edge in edges]
    body += [_drawn(box, places[box.key], sizes[box.key]) for box in boxes]
    body += _labels(edges, places, sizes)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{y:.0f}" '
        f'viewBox="0 0 {width:.0f} {y:.0f}" font-family="DejaVu Sans Mono, Menlo, Consolas, '
        'monospace" font-size="11">\n'
        '<defs><marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
        'markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8z" fill="#667"/></marker></defs>\n'
        '<rect width="100%" height="100%" fill="white"/>\n' + "\n".join(body) + "\n</svg>\n"
    )


def boxes_of(graph: ConfigGraph) -> tuple[list[Box], list[Edge]]:
    """Return a box for each part that something flows through, and the edges between them.

    Transforms stand in the box of their data set; all metrics share a box, and so do optimizers,
    schedules and hooks.
    """
    boxes: dict[str, Box] = {}
    merged: dict[str, str] = {}
    for node in (node for section in graph.sections for node in section.walk()):
        if node.kind in ("metric", "hook", "scheduler", "optimizer"):
            group = "metrics" if node.kind == "metric" else "optimizer"
            section = node.path.partition(".")[0]
            key = f"{section}.{group}"
            box = boxes.setdefault(key, Box(key, f"{section}: {group}", group))
            box.lines.append(f"{node.name}{_options(node)}")
            merged[node.path] = key
        elif node.kind == "data set":
            boxes[node.path] = Box(node.path, _title(node), node.kind, _dataset_lines(node))
        elif node.kind and node.kind not in ("transform", "model"):
            boxes[node.path] = Box(node.path, _title(node), node.kind, lines_of(node))
    edges: dict[tuple[str, str], Edge] = {}
    for edge in graph.edges:
        source, target = (merged.get(key, key) for key in (edge.source, edge.target))
        if source in boxes and target in boxes:
            edges.setdefault((source, target), Edge(source, target, edge.words))
    return list(boxes.values()), list(edges.values())


def lines_of(node: Node) -> list[str]:
    """Return package, options and costs of a part, each in a line."""
    lines = [node.package] if node.package else []
    if node.options:
        lines.append(_options(node).strip())
    if costs(node):
        lines.append(costs(node))
    return [_cut(line) for line in lines]


def costs(node: Node) -> str:
    """Return parameters and multiply-accumulates in words."""
    found = []
    if node.parameters:
        found.append(f"{_counted(node.parameters)} parameters")
    if node.macs:
        found.append(
            f"{node.macs / 1e9:.3g} GMACs" if node.macs >= 1e8 else f"{node.macs / 1e6:.3g} MMACs"
        )
    return ", ".join(found)


def _counted(number: int) -> str:
    return f"{number / 1e6:.3g} M" if number >= 1e5 else f"{number:,}"


def _dataset_lines(node: Node) -> list[str]:
    lines = [node.package, _options(node).strip(), *node.inputs]
    for part in node.parts:
        flow = f" -> {part.outputs[0]}" if part.outputs else ""
        lines.append(_cut(f"{part.name}{_options(part)}", _WIDEST - len(flow)) + flow)
    return [_cut(line) for line in [*lines, *(f"-> {text}" for text in node.outputs)] if line]


def _title(node: Node) -> str:
    return f"{node.path}: {node.name}"


def _options(node: Node) -> str:
    return "".join(f" {name}={value!r}" for name, value in node.options.items())


def _cut(text: str, most: int = _WIDEST) -> str:
    return text if len(text) <= most else f"{text[: most - 3]}..."


def _rows(boxes: list[Box], edges: list[Edge]) -> list[list[Box]]:
    """Return the boxes in rows: each below all that it is given something by."""
    depth = dict.fromkeys((box.key for box in boxes), 0)
    for _ in boxes:  # as often as the longest way can be
        for edge in edges:
            depth[edge.target] = max(depth[edge.target], depth[edge.source] + 1)
        if max(depth.values(), default=0) > len(boxes):  # a circle
            break
    apart = {box.key for box in boxes} - {key for e in edges for key in (e.source, e.target)}
    last = max(depth.values(), default=0)
    rows: dict[int, list[Box]] = {}
    for box in boxes:
        below = last if box.key in apart and box.kind != "data set" else depth[box.key]
        rows.setdefault(below, []).append(box)
    place: dict[str, float] = {}
    for number in sorted(rows):  # each under the middle of what it is given something by
        above = {
            box.key: [place[e.source] for e in edges if e.target == box.key and e.source in place]
            for box in rows[number]
        }
        rows[number].sort(key=lambda box: sum(above[box.key]) / max(len(above[box.key]), 1))
        for index, box in enumerate(rows[number]):
            place[box.key] = (index + 0.5) / len(rows[number])
    return [rows[number] for number in sorted(rows)]


def _size(box: Box) -> tuple[float, float]:
    letters = max(len(box.title) * 1.08, *(len(line) for line in box.lines), 12)
    return letters * _LETTER + 2 * _PAD, (1 + len(box.lines)) * _LINE + 2 * _PAD - 4


def _drawn(box: Box, place: tuple[float, float], size: tuple[float, float]) -> str:
    (x, y), (width, height) = place, size
    fill = _COLOURS.get(box.kind, "#f4f4f4")
    texts = [
        f'<text x="{x + _PAD:.1f}" y="{y + _PAD + 8 + _LINE * row:.1f}"'
        f"{' font-weight=' + chr(34) + 'bold' + chr(34) if row == 0 else ''}>"
        f"{html.escape(line)}</text>"
        for row, line in enumerate([box.title, *box.lines])
    ]
    return (
        f'<g><rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" rx="6" '
        f'fill="{fill}" stroke="#667"/>{"".join(texts)}</g>'
    )


def _ends(
    edge: Edge, places: Mapping[str, tuple[float, float]], sizes: Mapping[str, tuple[float, float]]
) -> tuple[float, float, float, float]:
    (x0, y0), (w0, h0) = places[edge.source], sizes[edge.source]
    (x1, y1), (w1, _) = places[edge.target], sizes[edge.target]
    return x0 + w0 / 2, y0 + h0, x1 + w1 / 2, y1 - 1


def _line(edge: Edge, places: Any, sizes: Any) -> str:
    x0, y0, x1, y1 = _ends(edge, places, sizes)
    middle = (y0 + y1) / 2
    return (
        f'<path d="M{x0:.1f} {y0:.1f}C{x0:.1f} {middle:.1f} {x1:.1f} {middle:.1f} {x1:.1f} '
        f'{y1:.1f}" fill="none" stroke="#667" marker-end="url(#arrow)"/>'
    )


def _labels(edges: Iterable[Edge], places: Any, sizes: Any) -> list[str]:
    """Return what comes in, above each box; the same words only once."""
    coming: dict[str, list[str]] = {}
    for edge in edges:
        known = coming.setdefault(edge.target, [])
        known += [words for words in edge.words if words not in known]
    texts = []
    for target, lines in coming.items():
        if not lines:
            continue
        (left, top), (wide, _) = places[target], sizes[target]
        x, y = left + wide / 2, top - 10 - _LINE * len(lines)
        width = max(map(len, lines)) * _LETTER + 6
        texts.append(
            f'<rect x="{x - width / 2:.1f}" y="{y:.1f}" width="{width:.1f}" '
            f'height="{_LINE * len(lines):.1f}" fill="white" opacity="0.9"/>'
        )
        texts += [
            f'<text x="{x:.1f}" y="{y + 12 + _LINE * row:.1f}" text-anchor="middle" '
            f'fill="#335">{html.escape(words)}</text>'
            for row, words in enumerate(lines)
        ]
    return texts


def _quoted(text: str) -> str:
    return html.escape(text).replace("[", "&#91;").replace("]", "&#93;")


_WRITERS: dict[str, Callable[[ConfigGraph], str]] = {
    ".svg": svg_text,
    ".mmd": mermaid_text,
    ".mermaid": mermaid_text,
}
