"""What was made from what: the lineage of runs, as a tree, for Mermaid, as JSON, and as a picture."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from html import escape
from pathlib import Path

from naga.compare.lineage import Lineage
from naga.frozen import dataclass
from naga.runs.find import Run

_MOST_SINGLE = 50  # from here on, the runs of a task are one node of a picture
_WIDTH, _HEIGHT, _GAP = 260, 46, 40
_COLOURS = {"finished": "#e8f5e9", "running": "#fff8e1", "out of date": "#fff3e0"}


@dataclass(frozen=True, slots=True)
class Node:
    """A run of a graph, or, where there are many, all runs of a task; ``mark`` says how it stands."""

    key: str
    title: str
    subtitle: str
    mark: str


@dataclass(frozen=True, slots=True)
class Graph:
    """Nodes by key, and edges from what was read to what was made of it."""

    nodes: Mapping[str, Node]
    edges: tuple[tuple[str, str], ...]


def graph_of(runs: Sequence[Run], shown: Callable[[Path], str]) -> Graph:
    """Make the graph of runs; upstream runs that are not among them are nodes of their own."""
    nodes, edges, lineage = {}, [], Lineage(runs)
    for run in runs:
        mark = "out of date" if lineage.is_out_of_date(run) else run.status
        nodes[run.run_id] = Node(run.run_id, shown(run.save_dir), run.summary.task, mark)
    for run in runs:
        for upstream in run.summary.upstream:
            key = upstream.run_id
            nodes.setdefault(key, Node(key, upstream.save_dir, "not found here", "lost"))
            edges.append((key, run.run_id))
    return Graph(nodes, tuple(dict.fromkeys(edges)))


def related(graph: Graph, key: str) -> Graph:
    """Leave of a graph what a run rests on, and what was made from it."""
    wanted = {key}
    for one, other in ((0, 1), (1, 0)):
        found = {key}
        while more := {edge[other] for edge in graph.edges if edge[one] in found} - found:
            found |= more
        wanted |= found
    nodes = {name: node for name, node in graph.nodes.items() if name in wanted}
    return Graph(nodes, tuple(edge for edge in graph.edges if set(edge) <= wanted))


def by_task(graph: Graph) -> Graph:
    """Draw the runs of a task as one, where there are too many to be looked at."""
    if len(graph.nodes) <= _MOST_SINGLE:
        return graph
    of = {key: node.subtitle for key, node in graph.nodes.items()}
    nodes = {}
    for task in dict.fromkeys(of.values()):
        marks = [graph.nodes[key].mark for key, own in of.items() if own == task]
        odd = [mark for mark in dict.fromkeys(marks) if mark != "finished"]
        said = ", ".join(f"{marks.count(mark)} {mark}" for mark in odd)
        nodes[task] = Node(
            task, task, f"{len(marks)} runs" + (f": {said}" if said else ""), odd[0] if odd else "finished"
        )
    edges = dict.fromkeys((of[a], of[b]) for a, b in graph.edges if of[a] != of[b])
    return Graph(nodes, tuple(edges))


def as_tree(graph: Graph) -> Iterator[str]:
    """Write each run below what it was made from; one that is made from several stands below each of them."""
    below: dict[str, list[str]] = {}
    for source, made in graph.edges:
        below.setdefault(source, []).append(made)
    roots = [key for key in graph.nodes if key not in {made for _, made in graph.edges}]

    def lines(key: str, depth: int, above: frozenset[str]) -> Iterator[str]:
        node = graph.nodes[key]
        mark = "" if node.mark == "finished" else f"  [{node.mark}]"
        yield f"{'  ' * depth}{node.title}  {node.subtitle}{mark}"
        for made in below.get(key, []):
            if made not in above and depth < 100:
                yield from lines(made, depth + 1, above | {made})

    for root in roots:
        yield from lines(root, 0, frozenset({root}))


def as_mermaid(graph: Graph) -> Iterator[str]:
    """Write a graph as Mermaid draws it, in documents and on GitHub."""
    names = {key: f"n{place}" for place, key in enumerate(graph.nodes)}
    yield "flowchart LR"
    for key, node in graph.nodes.items():
        text = "<br>".join(
            escape(part).replace('"', "#quot;") for part in (node.title, f"{node.subtitle}, {node.mark}")
        )
        yield f'  {names[key]}["{text}"]'
    for source, made in graph.edges:
        yield f"  {names[source]} --> {names[made]}"


def as_json(graph: Graph) -> str:
    """Write a graph as JSON: nodes and edges."""
    nodes = [
        {"id": node.key, "title": node.title, "subtitle": node.subtitle, "status": node.mark}
        for node in graph.nodes.values()
    ]
    return json.dumps({"nodes": nodes, "edges": [{"from": one, "to": other} for one, other in graph.edges]}, indent=2)


def as_svg(graph: Graph) -> str:
    """Draw a graph from left to right: each node in the column behind the last one that it was made from."""
    columns = _columns(graph)
    placed: dict[str, tuple[int, int]] = {}
    rows: dict[int, int] = {}
    for key in graph.nodes:
        column = columns[key]
        row = rows.get(column, 0)
        rows[column] = row + 1
        placed[key] = column * (_WIDTH + 2 * _GAP) + _GAP, row * (_HEIGHT + _GAP // 2) + _GAP
    width = max((x for x, _ in placed.values()), default=0) + _WIDTH + _GAP
    height = max((y for _, y in placed.values()), default=0) + _HEIGHT + _GAP
    lines = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" font-family="sans-serif">']
    for source, made in graph.edges:
        (x, y), (to_x, to_y) = placed[source], placed[made]
        x, y, to_y = x + _WIDTH, y + _HEIGHT // 2, to_y + _HEIGHT // 2
        path = f"M{x} {y} C{x + _GAP} {y} {to_x - _GAP} {to_y} {to_x} {to_y}"
        lines.append(f'<path d="{path}" fill="none" stroke="#78909c"/>')
    lines += (_box(node, *placed[key]) for key, node in graph.nodes.items())
    return "\n".join([*lines, "</svg>"])


def _columns(graph: Graph) -> dict[str, int]:
    columns = dict.fromkeys(graph.nodes, 0)
    for _ in range(len(graph.nodes)):  # as often as the longest line of runs; a circle, which no run makes, ends, too
        later = {made: columns[source] + 1 for source, made in graph.edges if columns[made] <= columns[source]}
        if not later:
            break
        columns |= later
    return columns


def _box(node: Node, x: int, y: int) -> str:
    colour = _COLOURS.get(node.mark, "#ffebee")
    title = node.title if len(node.title) <= 34 else f"...{node.title[-31:]}"
    subtitle = f"{node.subtitle}, {node.mark}" if node.mark != "finished" else node.subtitle
    return (
        f'<g><title>{escape(node.title)} ({escape(node.key)})</title><rect x="{x}" y="{y}" width="{_WIDTH}" '
        f'height="{_HEIGHT}" rx="6" fill="{colour}" stroke="#90a4ae"/>'
        f'<text x="{x + 10}" y="{y + 19}" font-size="13">{escape(title)}</text>'
        f'<text x="{x + 10}" y="{y + 36}" font-size="11" fill="#546e7a">{escape(subtitle[:44])}</text></g>'
    )
