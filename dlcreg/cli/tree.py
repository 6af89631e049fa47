"""The graph of a config as a tree for a terminal."""

from __future__ import annotations

from typing import Any


def print_tree(graph: Any, title: str) -> None:
    """Print a `ConfigGraph` as a tree."""
    from rich.console import Console
    from rich.text import Text
    from rich.tree import Tree

    height, width = graph.size
    told = f"images of {height} x {width}"
    if not graph.known:
        told += " and 4 keypoints stand in for the data"
    tree = Tree(Text(f"{title}  ({told})"))
    for section in graph.sections:
        _add(tree, section, "")
    console = Console(highlight=False)
    if not console.is_terminal:  # a file or a pipe wants whole lines
        console.width = 400
    console.print(tree)


def _add(tree: Any, node: Any, around: str) -> None:
    from rich.text import Text

    from dlcreg.apis.graph_files import costs

    name = node.path.removeprefix(f"{around}.") if around else node.path
    text = Text.assemble((name, "bold"), " ", (node.name, "cyan"))
    for words, style in ((node.package, "dim"), (costs(node), "green")):
        if words:
            text.append(f"  {words}", style=style)
    if node.options:
        text.append("  " + " ".join(f"{k}={v!r}" for k, v in node.options.items()))
    branch = tree.add(text)
    if node.inputs or node.outputs:
        flow = ", ".join(node.inputs)
        if node.outputs:
            flow += f" -> {', '.join(node.outputs)}"
        branch.add(Text(flow.strip(), style="magenta"))
    for part in node.parts:
        _add(branch, part, node.path)


def graph_rows(graph: Any) -> dict[str, Any]:
    """Return a `ConfigGraph` for JSON."""
    return {
        "image_size": list(graph.size),
        "data_is_known": graph.known,
        "sections": [_row(section) for section in graph.sections],
        "edges": [
            {"from": edge.source, "to": edge.target, "carries": list(edge.words)}
            for edge in graph.edges
        ],
    }


def _row(node: Any) -> dict[str, Any]:
    from dlcreg.config.dump import portable

    return {
        "path": node.path,
        "class": node.name,
        "kind": node.kind,
        "package": node.package,
        "options": portable(node.options),
        "parameters": node.parameters,
        "macs": None if node.macs is None else round(node.macs),
        "inputs": node.inputs,
        "outputs": node.outputs,
        "parts": [_row(part) for part in node.parts],
    }
