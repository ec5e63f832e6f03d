"""The lineage of runs, as a tree, for Mermaid, as JSON, and as a picture."""

import json
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from html import escape
from pathlib import Path

from naga.compare.lineage import Lineage, base_of
from naga.frozen import dataclass
from naga.layout import OWN_FOLDER
from naga.runs.filter import items_of
from naga.runs.find import Run
from naga.terminal import printable
from naga.wording import plural

_MOST_SINGLE = 50  # from here on, the runs of a task are one node of a picture
_FIGURES = frozenset({".png", ".svg", ".pdf", ".jpg", ".jpeg", ".gif", ".eps"})
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
    """Nodes by key, and edges from what was read to what was made from it."""

    nodes: Mapping[str, Node]
    edges: tuple[tuple[str, str], ...]


def graph_of(runs: Sequence[Run], shown: Callable[[Path], str], *, files: bool = False) -> Graph:
    """Make the graph of runs; upstream runs that are not among them become nodes, and files if asked for."""
    nodes, edges, lineage = {}, [], Lineage(runs)
    for run in runs:
        mark = "out of date" if lineage.is_out_of_date(run) else run.status
        nodes[run.run_id] = Node(run.run_id, shown(run.save_dir), run.summary.task, mark)
    for run in runs:
        for upstream in run.summary.upstream:
            key = upstream.run_id
            nodes.setdefault(key, Node(key, upstream.save_dir, "not found here", "lost"))
            edges.append((key, run.run_id))
        for file, kind in _files_of(run) if files else ():
            node = Node(f"{kind} {file}", shown(file), kind, "finished")
            nodes.setdefault(node.key, node)
            edges.append((node.key, run.run_id) if kind == "input" else (run.run_id, node.key))
    return Graph(nodes, tuple(dict.fromkeys(edges)))


def _files_of(run: Run) -> Iterator[tuple[Path, str]]:
    """Name the inputs of a run that no run has made, and the figures that it and its diags have left."""
    base = base_of(run.record)
    made = [base / upstream.save_dir for upstream in run.summary.upstream]
    for _, path in items_of({key: data.path for key, data in run.record.data.items()}):
        for file in (base / str(each) for each in (path if isinstance(path, list) else [path])):
            if not any(file.is_relative_to(folder) for folder in made):
                yield file, "input"
    for folder, names, files in os.walk(run.save_dir):
        names[:] = sorted(name for name in names if name != OWN_FOLDER)
        yield from ((Path(folder, name), "figure") for name in sorted(files) if Path(name).suffix in _FIGURES)


def related(graph: Graph, key: str) -> Graph:
    """Reduce a graph to what a run was made from, and what was made from it."""
    wanted = {key}
    for beside in (_beside(graph), _beside(Graph(graph.nodes, tuple((made, source) for source, made in graph.edges)))):
        found, waiting = {key}, [key]
        while waiting:
            more = {other for other in beside.get(waiting.pop(), ()) if other not in found}
            found |= more
            waiting += more
        wanted |= found
    nodes = {name: node for name, node in graph.nodes.items() if name in wanted}
    return Graph(nodes, tuple(edge for edge in graph.edges if set(edge) <= wanted))


def _beside(graph: Graph) -> dict[str, list[str]]:
    below: dict[str, list[str]] = {}
    for source, made in graph.edges:
        below.setdefault(source, []).append(made)
    return below


def by_task(graph: Graph) -> Graph:
    """Merge the runs of each task into one node, where there are too many to read."""
    if len(graph.nodes) <= _MOST_SINGLE:
        return graph
    of = {key: node.subtitle for key, node in graph.nodes.items()}
    marks: dict[str, Counter[str]] = {}
    for node in graph.nodes.values():
        marks.setdefault(node.subtitle, Counter())[node.mark] += 1
    nodes = {}
    for task, counts in marks.items():
        odd = [f"{count} {mark}" for mark, count in counts.items() if mark != "finished"]
        what = plural(counts.total(), task if task in ("input", "figure") else "run")
        mark = next((mark for mark in counts if mark != "finished"), "finished")
        nodes[task] = Node(task, task, f"{what}: {', '.join(odd)}" if odd else what, mark)
    edges = dict.fromkeys((of[a], of[b]) for a, b in graph.edges if of[a] != of[b])
    return Graph(nodes, tuple(edges))


def as_tree(graph: Graph) -> Iterator[str]:
    """Write each run below what it was made from; what is below a run with several sources is written once."""
    below, made = _beside(graph), {made for _, made in graph.edges}
    waiting = [(key, 0) for key in reversed([*graph.nodes]) if key not in made]
    seen = set()
    while waiting:
        key, depth = waiting.pop()
        node, further = graph.nodes[key], below.get(key, [])
        mark = "" if node.mark == "finished" else f"  [{node.mark}]"
        yield f"{'  ' * depth}{node.title}  {node.subtitle}{mark}" + ("  ..." if further and key in seen else "")
        if key not in seen:
            seen.add(key)
            waiting += [(other, depth + 1) for other in reversed(further)]


def as_mermaid(graph: Graph) -> Iterator[str]:
    """Write a graph as Mermaid draws it, in documents and on GitHub."""
    names = {key: f"n{place}" for place, key in enumerate(graph.nodes)}
    yield "flowchart LR"
    for key, node in graph.nodes.items():
        text = "<br>".join(_text(part).replace('"', "#quot;") for part in (node.title, f"{node.subtitle}, {node.mark}"))
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
    look = 'font-family="sans-serif" style="background: #ffffff"'  # also in a dark theme
    lines = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" {look}>']
    for source, made in graph.edges:
        (x, y), (to_x, to_y) = placed[source], placed[made]
        x, y, to_y = x + _WIDTH, y + _HEIGHT // 2, to_y + _HEIGHT // 2
        path = f"M{x} {y} C{x + _GAP} {y} {to_x - _GAP} {to_y} {to_x} {to_y}"
        lines.append(f'<path d="{path}" fill="none" stroke="#78909c"/>')
    lines += (_box(node, *placed[key]) for key, node in graph.nodes.items())
    return "\n".join([*lines, "</svg>"])


def _columns(graph: Graph) -> dict[str, int]:
    below, waits = _beside(graph), Counter(made for _, made in graph.edges)
    columns = dict.fromkeys(graph.nodes, 0)
    ready = [key for key in graph.nodes if not waits[key]]
    while ready:  # what is in a circle, which no run makes, is never ready
        source = ready.pop()
        for made in below.get(source, ()):
            columns[made] = max(columns[made], columns[source] + 1)
            waits[made] -= 1
            if not waits[made]:
                ready.append(made)
    return columns


def _text(name: str) -> str:
    return escape(printable(name, lines=False))


def _box(node: Node, x: int, y: int) -> str:
    colour = _COLOURS.get(node.mark, "#ffebee")
    title = node.title if len(node.title) <= 31 else f"...{node.title[-28:]}"
    subtitle = f"{node.subtitle}, {node.mark}" if node.mark != "finished" else node.subtitle
    return (
        f'<g><title>{_text(node.title)} ({_text(node.key)})</title><rect x="{x}" y="{y}" width="{_WIDTH}" '
        f'height="{_HEIGHT}" rx="6" fill="{colour}" stroke="#90a4ae"/>'
        f'<text x="{x + 10}" y="{y + 19}" font-size="13">{_text(title)}</text>'
        f'<text x="{x + 10}" y="{y + 36}" font-size="11" fill="#546e7a">{_text(subtitle[:37])}</text></g>'
    )
