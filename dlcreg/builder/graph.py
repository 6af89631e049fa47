"""A config as the graph of its parts: what each is, costs and hands to the next."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from dlcreg.builder.flow import IMAGES, Flow, flow_of, shape_text, tensors_in
from dlcreg.builder.plan import PARTS, Plan
from dlcreg.builder.written import Written, written_parts
from dlcreg.contracts import Codec, Detector, Head, Loss
from dlcreg.data.batching import collate
from dlcreg.data.transforms.pipeline import Pipeline
from dlcreg.errors import DlcregError
from dlcreg.structures import Poses
from dlcreg.trace_heads import decoded, one_animal


@dataclass
class Node:
    """A part of a config.

    Args:
        path: where it stands.
        name: its class.
        kind: the kind of part, such as ``head``; empty for a section.
        package: package and version that it comes from; empty for a section.
        options: what the config says of it, but for the parts inside.
        parameters: number of its weights; None where it has none.
        macs: multiply-accumulates for one image; None where it computes nothing.
        inputs: what it is given, in words; empty where nothing is known.
        outputs: what it makes, in words.
        parts: the parts inside.
    """

    path: str
    name: str
    kind: str = ""
    package: str = ""
    options: dict[str, Any] = field(default_factory=dict)
    parameters: int | None = None
    macs: float | None = None
    inputs: list[str] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)
    parts: list[Node] = field(default_factory=list)

    def walk(self) -> Iterator[Node]:
        """Yield this node and all inside it."""
        yield self
        for part in self.parts:
            yield from part.walk()


@dataclass(frozen=True)
class Edge:
    """What one part hands to another.

    Args:
        source: path of a part.
        target: path of a part.
        words: what it is: one line for each tensor.
    """

    source: str
    target: str
    words: tuple[str, ...] = ()


@dataclass
class ConfigGraph:
    """All parts of a config, and what they hand to one another.

    Args:
        sections: model, data, solver and evaluation, with the parts inside them.
        edges: in the order in which an image meets them.
        size: height and width of the image that the shapes are of.
        known: whether the data is open; else size and keypoints are made up.
    """

    sections: list[Node]
    edges: list[Edge]
    size: tuple[int, int]
    known: bool = True

    def node(self, path: str) -> Node | None:
        """Return the node at a path."""
        nodes = (node for section in self.sections for node in section.walk())
        return next((node for node in nodes if node.path == path), None)


def graph_of(plan: Plan) -> ConfigGraph:
    """Return the graph of a config in which no problem was found.

    Args:
        plan: checked, traced and rehearsed; its data may be closed: then stand-ins give the shapes
            of the model, and those of the data are left out.
    """
    flow = flow_of(plan.traced, plan.size) if plan.traced else Flow()
    built = plan.traced.built if plan.traced else {}
    sections = [_node(one, built, flow) for one in written_parts(plan.tree)]
    graph = ConfigGraph(sections, [], plan.size, plan.sample is not None)
    _data(graph, plan)
    _model(graph, flow, built, plan)
    _solver(graph)
    return graph


def _node(written: Written, built: Mapping[str, Any], flow: Flow) -> Node:
    part, registry = built.get(written.path), written.registry
    node = Node(written.path, written.cls.__name__, "" if registry is None else registry.kind)
    node.options = written.options
    if registry is not None:
        origin = registry.part(written.cls)
        node.package = f"{origin.distribution} {origin.version}".strip() or "(this process)"
    if isinstance(part, nn.Module):
        node.parameters = sum(p.numel() for p in part.parameters()) or None
    node.macs = flow.macs.get(written.path)
    visit = flow.visits.get(written.path)
    if visit is not None:
        node.inputs = _words(visit.inputs)
        node.outputs = _words(visit.outputs, part)
    node.parts = [_node(inside, built, flow) for inside in written.parts]
    return node


def _words(value: Any, part: Any = None) -> list[str]:
    """Return names and shapes of tensors; the strides, too, where a part declares them."""
    tensors = list(tensors_in(value))
    strides = getattr(part, "out_strides", ())
    words = [f"{name} {shape_text(tensor)}".strip() for name, tensor in tensors]
    if len(strides) == len(words):
        words = [f"{text} stride {stride}" for text, stride in zip(words, strides)]
    return words


def _model(graph: ConfigGraph, flow: Flow, built: Mapping[str, Any], plan: Plan) -> None:
    """Add what the parts of the model hand on, and what codecs and losses make of it."""
    height, width = graph.size
    images = (f"images (B, 3, {height}, {width})",)
    for path, visit in flow.visits.items():
        for source in visit.sources:
            if source != IMAGES:
                made = graph.node(source)
                words = tuple(made.outputs) if made else ()
                graph.edges.append(Edge(source, path, words))
                continue
            for part in PARTS:
                empty = plan.data is not None and getattr(plan.data, part) is None
                if graph.node(f"data.{part}") is not None and not empty:
                    graph.edges.append(Edge(f"data.{part}", path, images))
    heads = [path for path in flow.visits if isinstance(built[path], Head)]
    for path in heads:
        if not any(other.startswith(f"{path}.") for other in heads):  # the one inside says it
            _head(graph, path, flow.visits[path].outputs, plan)
    for path, part in built.items():
        node = graph.node(path)
        if isinstance(part, Detector) and node is not None:
            node.outputs = [*node.outputs, "boxes (B, N, 4)"]


def _head(graph: ConfigGraph, path: str, outputs: Any, plan: Plan) -> None:
    """Add what codec and losses of a head are given and make."""
    head = graph.node(path)
    part = plan.traced.built[path] if plan.traced else None
    if head is None or not isinstance(outputs, Mapping):
        return
    targets, poses = _coded(part, outputs, graph.size)
    for inside in head.walk():
        built = plan.traced.built.get(inside.path) if plan.traced else None
        if isinstance(built, Codec):
            inside.inputs, inside.outputs = _words(outputs), poses
        elif isinstance(built, Loss):
            name = inside.path.rpartition(".")[2]
            inside.inputs = _words({name: outputs[name]}) if name in outputs else []
            inside.inputs += targets.get(name, [])
        else:
            continue
        graph.edges.append(Edge(path, inside.path, tuple(inside.inputs)))


def _coded(
    head: Any, outputs: Mapping[str, Tensor], size: tuple[int, int]
) -> tuple[dict[str, list[str]], list[str]]:
    """Return targets by output and poses in words, as far as they can be had without values."""
    device = next((tensor.device for _, tensor in tensors_in(outputs)), torch.device("cpu"))
    targets: dict[str, list[str]] = {}
    poses: list[str] = []
    count = head.num_keypoints
    try:
        with torch.no_grad(), torch.device(device):
            if count:
                for name, (target, _) in head.codec.encode(one_animal(size, count), size).items():
                    targets[name] = [f"target {shape_text(target)}"]
            animal = one_animal(size, count or 1)
            poses = _pose_words(decoded(head.codec, outputs, animal, size), head.completes)
    except Exception:  # it looks at values: the trace has found nothing against it
        return targets, poses
    return targets, poses


def _pose_words(poses: Poses, completes: bool) -> list[str]:
    """Return the shapes of poses, or of what completes those of other heads."""
    if not completes:
        return [f"poses {shape_text(poses.keypoints)}"]
    if poses.identities is not None:
        return [f"identities {shape_text(poses.identities)}"]
    return [f"more of the poses {shape_text(poses.keypoints)}"]


def _data(graph: ConfigGraph, plan: Plan) -> None:
    """Say how many samples there are, and how transforms change the size of the images."""
    for name in PARTS:
        node = graph.node(f"data.{name}")
        dataset = getattr(plan.data, name, None)
        if node is None or dataset is None:
            if node is not None and plan.data is not None:
                node.inputs = ["no samples"]
            continue
        batch = collate([dataset[0]])
        node.outputs = [
            f"images {shape_text(batch.images)} {str(batch.images.dtype).partition('.')[2]}",
            f"keypoints {shape_text(batch.instances.keypoints)}",
        ]
        if batch.instances.unique is not None:
            node.outputs.append(f"unique {shape_text(batch.instances.unique.keypoints)}")
        node.inputs = [f"{len(dataset)} samples"]
        steps = getattr(dataset.pipeline, "transforms", ())
        written = [part for part in node.parts if part.kind == "transform"]
        if isinstance(dataset.pipeline, Pipeline) and len(steps) == len(written):
            _steps(dataset, steps, written)


def _steps(dataset: Any, steps: Any, nodes: list[Node]) -> None:
    """Say the size of the images before and after each transform."""
    view = copy.copy(dataset)
    before = ""
    for end in range(len(steps) + 1):
        view.pipeline = Pipeline(steps[:end])
        try:
            height, width = view[0].image.shape[:2]
        except DlcregError:  # such as images that are not cut yet
            return
        after = f"{height} x {width}"
        if end:
            nodes[end - 1].inputs, nodes[end - 1].outputs = [before], [after]
        before = after


def _solver(graph: ConfigGraph) -> None:
    """Add what training and validation make of losses and poses."""
    solver = [n for s in graph.sections if s.path == "solver" for n in s.walk() if n is not s]
    optimizers = [node for node in solver if node.kind == "optimizer"]
    metrics = [node for node in solver if node.kind == "metric"]
    model = [n for s in graph.sections if s.path == "model" for n in s.walk()]
    for node in model:
        if node.kind == "loss":
            graph.edges += [Edge(node.path, one.path, ("loss",)) for one in optimizers]
        elif node.kind == "detector":
            graph.edges += [Edge(node.path, one.path, ("losses",)) for one in optimizers]
            graph.edges += [Edge(node.path, one.path, ("boxes (B, N, 4)",)) for one in metrics]
        elif node.kind == "codec" and node.outputs:
            graph.edges += [Edge(node.path, one.path, tuple(node.outputs)) for one in metrics]
