"""The lineage of thousands is drawn within a second, and that of any shape ends."""

import re
import time
import xml.etree.ElementTree as ET
from collections.abc import Iterable

import pytest

from naga.compare.graph import Graph, Node, as_mermaid, as_svg, as_tree, by_task, related


def graph(count: int, edges: Iterable[tuple[int, int]], *, tasks: int, marks: dict[int, str] | None = None) -> Graph:
    """Make a graph of numbers."""
    marks = marks or {}
    nodes = {str(n): Node(str(n), f"results/{n}", f"exp.t{n % tasks}", marks.get(n, "finished")) for n in range(count)}
    return Graph(nodes, tuple((str(a), str(b)) for a, b in edges))


CHAIN = [(n, n + 1) for n in range(4999)]
LAYERS = [(a, b) for n in range(0, 4900, 100) for a in range(n, n + 100, 10) for b in range(n + 100, n + 200)]


@pytest.mark.parametrize("edges", [CHAIN, LAYERS, []], ids=["chain", "layers", "none"])
def test_five_thousand_runs(edges: list[tuple[int, int]]) -> None:
    """As a picture of single ones, grouped, as a tree, and one run's own line."""
    whole = graph(5000, edges, tasks=5000)
    began = time.process_time()
    picture = as_svg(whole)
    assert time.process_time() - began < 1
    assert sum(1 for _ in as_tree(whole)) == (len(edges) + sum(1 for _ in _first(whole)))
    assert len(related(whole, "0").nodes) == (len({b for a, b in edges}) + 1 if edges == CHAIN else len(_from_0(edges)))
    assert time.process_time() - began < 5
    assert len(ET.fromstring(picture).findall("{http://www.w3.org/2000/svg}g")) == 5000


def _first(whole: Graph) -> set[str]:
    return whole.nodes.keys() - {made for _, made in whole.edges}


def _from_0(edges: list[tuple[int, int]]) -> set[int]:
    found = {0}
    for source, made in edges:
        found |= {made} if source in found else set()
    return found


def test_runs_of_a_task_are_one_node_above_fifty() -> None:
    """With how many there are, and how those stand that are not as they should be."""
    small = graph(50, [(0, 1)], tasks=2)
    assert by_task(small) is small
    large = by_task(
        graph(60, [(n, n + 1) for n in range(0, 60, 2)][:-1], tasks=2, marks={1: "failed", 3: "out of date"})
    )
    assert [(node.title, node.subtitle, node.mark) for node in large.nodes.values()] == [
        ("exp.t0", "30 runs", "finished"),
        ("exp.t1", "30 runs: 1 failed, 1 out of date", "failed"),
    ]
    assert large.edges == (("exp.t0", "exp.t1"),)


def test_columns_follow_the_longest_way() -> None:
    """A run stands behind the last of those that it was made from."""
    picture = ET.fromstring(as_svg(graph(4, [(0, 1), (1, 2), (0, 2), (2, 3)], tasks=4)))
    places = [int(box.attrib["x"]) for box in picture.iter("{http://www.w3.org/2000/svg}rect")]
    assert places == sorted(places)
    assert len(set(places)) == 4


def test_a_circle_ends() -> None:
    """Tasks that read each other's runs are one, where runs of a task are drawn as one."""
    circle = graph(3, [(0, 1), (1, 2), (2, 1)], tasks=3)
    assert "results/2" in as_svg(circle)
    assert [line.split()[0] for line in as_tree(circle)] == ["results/0", "results/1", "results/2", "results/1"]
    assert len(related(circle, "1").nodes) == 3


def test_titles_are_text() -> None:
    """What a folder is called is neither markup in a picture nor in Mermaid."""
    odd = Graph({"a": Node("a", '<b>"x"]\r\x1b[2J', "t", "finished")}, ())
    assert not re.search(r"[\r\x1b]", as_svg(odd) + "".join(as_mermaid(odd)))
    ET.fromstring(as_svg(odd))
    assert "<b>" not in as_svg(odd)
    assert "<b>" not in "\n".join(as_mermaid(odd))
