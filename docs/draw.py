"""Draw the pictures of the documentation anew: ``make pictures``.

The terminal and the lineage are of real sessions in a temporary repository; the figures are those of
``benchmarks/releases``; the workflow and the sequence of claims are drawn from the tables below.
"""

import io
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from html import escape
from pathlib import Path

from rich.console import Console
from rich.text import Text

DOCS = Path(__file__).parent
IMAGES = DOCS / "images"
INK, PALE, BLUE, GREEN, RED = "#24292f", "#57606a", "#ddf4ff", "#dafbe1", "#cf222e"
README = re.compile(r"```python\n(# my_experiment.py.*?)```", re.DOTALL)
STAGES = {
    "prepare.py": ("runlock, snapshot", "results/data", ""),
    "train.py": ("runlock, snapshot, load_stage", "results/train", "data: str = 'results/data'"),
    "report.py": ("runlock, snapshot, load_stage", "results/report", "model: str = 'results/train'"),
}
STAGE = """
from dataclasses import dataclass
from pathlib import Path
from naga import clicfg, {names}

@dataclass
class Config:
    save_dir: str = "{save_dir}"
    {field}
    scale: int = 1

@runlock
@snapshot
{stage}
@clicfg
def main(cfg: Config):
    Path(cfg.save_dir, "out.txt").write_text(str(cfg.scale))

if __name__ == "__main__":
    main()
"""


def main() -> None:
    """Write every picture, or the one that is named."""
    if "benchmarks" in sys.argv:
        (IMAGES / "benchmarks.svg").write_text(benchmarks())
        return
    (IMAGES / "workflow.svg").write_text(workflow())
    (IMAGES / "claims.svg").write_text(claims())
    (IMAGES / "benchmarks.svg").write_text(benchmarks())
    with tempfile.TemporaryDirectory(prefix="naga-") as name:
        for picture in (terminal, lineage):
            folder = Path(name) / picture.__name__
            make_project(folder)
            (IMAGES / f"{picture.__name__}.svg").write_text(picture(folder))


def svg(width: int, height: int, parts: Iterator[str]) -> str:
    """Put shapes on a white ground, so that they are seen on a dark background too."""
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        'font-family="system-ui, sans-serif" font-size="14">\n<defs><marker id="tip" viewBox="0 0 8 8" refX="8" '
        f'refY="4" markerWidth="8" markerHeight="8" orient="auto">'
        f'<path d="M0 0L8 4L0 8z" fill="{INK}"/></marker></defs>'
    )
    ground = f'<rect width="{width}" height="{height}" rx="8" fill="#ffffff"/>'
    return "\n".join([head, ground, *parts, "</svg>\n"])


def text(x: float, y: float, words: str, **style: str) -> str:
    """Write one line."""
    said = {"fill": INK, "text-anchor": "middle"} | {name.replace("_", "-"): value for name, value in style.items()}
    return (
        f'<text x="{x}" y="{y}" {" ".join(f"{name}={value!r}" for name, value in said.items())}>{escape(words)}</text>'
    )


def line(x: float, y: float, to_x: float, to_y: float, color: str = INK, *, tip: bool = True, dash: str = "") -> str:
    """Draw a line, an arrow if nothing else is said."""
    further = (' marker-end="url(#tip)"' if tip else "") + (f' stroke-dasharray="{dash}"' if dash else "")
    return f'<line x1="{x}" y1="{y}" x2="{to_x}" y2="{to_y}" stroke="{color}" stroke-width="1.5"{further}/>'


def box(x: float, y: float, width: float, height: float, lines: list[str], *, fill: str = "#ffffff") -> Iterator[str]:
    """Draw a box, its first line bold."""
    shape = f'x="{x}" y="{y}" width="{width}" height="{height}" rx="6"'
    yield f'<rect {shape} fill="{fill}" stroke="{INK}" stroke-width="1.5"/>'
    top = y + height / 2 - 10 * (len(lines) - 1) + 5
    for place, words in enumerate(lines):
        yield text(x + width / 2, top + 20 * place, words, font_weight="bold" if place == 0 else "normal")


def workflow() -> str:
    """Draw what is computed once, and what is made of it again and again."""

    def parts() -> Iterator[str]:
        for place, source in enumerate(("configuration", "code", "data")):
            yield from box(20, 30 + 50 * place, 120, 36, [source])
            yield line(140, 48 + 50 * place, 196, 98)
        yield from box(200, 70, 130, 56, ["main(cfg)", "computes once"], fill=BLUE)
        yield line(330, 98, 396, 98)
        yield from box(400, 40, 170, 116, ["save_dir", "results", "run.lock", "console.log"])
        yield line(570, 98, 636, 98)
        yield from box(640, 70, 130, 56, ["diag(cfg)", "again and again"], fill=GREEN)
        for place, words in enumerate(
            (["MLflow run 1", "deprecated"], ["MLflow run 2", "deprecated"], ["MLflow run 3", "active"])
        ):
            yield line(770, 98, 836, 42 + 56 * place)
            yield from box(840, 20 + 56 * place, 140, 46, words, fill=GREEN if place == 2 else "#f6f8fa")
        yield text(265, 180, "hours", fill=PALE)
        yield text(705, 180, "seconds", fill=PALE)

    return svg(1000, 200, parts())


# Who says it to whom, what, and whether it is refused. A message to oneself is a note.
MESSAGES = [
    ("B", "folder", "read: the last is A, over", False),
    ("D", "folder", "read: the last is A, over", False),
    ("B", "folder", "link after-A: made", False),
    ("D", "folder", "link after-A: is there already", True),
    ("D", "D", "B lives: refused, in one line", True),
    ("B", "B", "is stopped; no heartbeat for five minutes", False),
    ("C", "folder", "read: the last is B, lost", False),
    ("C", "folder", "link after-B: made; computes", False),
    ("B", "folder", "wakes, reads: the last is C", True),
    ("B", "B", "leaves C's files alone; its own lock goes to attempts/", False),
]
LIFELINES = {
    "D": (90, "run D, host 1"),
    "B": (290, "run B, host 1"),
    "folder": (560, ".naga/claims"),
    "C": (830, "run C, host 2"),
}


def claims() -> str:
    """Draw the sequence of two races for one folder."""
    bottom = 100 + 48 * len(MESSAGES)

    def parts() -> Iterator[str]:
        for name, (x, label) in LIFELINES.items():
            yield from box(x - 70, 20, 140, 36, [label], fill=BLUE if name == "folder" else "#ffffff")
            yield line(x, 56, x, bottom - 20, PALE, tip=False, dash="4 4")
        for place, (who, whom, words, refused) in enumerate(MESSAGES):
            y, start, end = 100 + 48 * place, LIFELINES[who][0], LIFELINES[whom][0]
            color = RED if refused else INK
            if start == end:
                width = 7.2 * len(words) + 16
                left = min(max(start - width / 2, 8), 992 - width)
                shape = f'x="{left}" y="{y - 20}" width="{width}" height="28" rx="4"'
                yield f'<rect {shape} fill="#fff8c5" stroke="{PALE}"/>'
                yield text(left + width / 2, y - 1, words, fill=color)
            else:
                yield line(start, y, end, y, color)
                middle = (start + end) / 2
                width = 7 * len(words)
                yield f'<rect x="{middle - width / 2}" y="{y - 21}" width="{width}" height="14" fill="#ffffff"/>'
                yield text(middle, y - 8, words, fill=color)

    return svg(1000, bottom, parts())


def benchmarks() -> str:
    """Draw what was measured of each release, a small diagram for each figure."""
    releases = {
        file.stem: json.loads(file.read_text())
        for file in sorted((DOCS.parent / "benchmarks" / "releases").glob("*.json"))
    }
    names = list(dict.fromkeys(name for figures in releases.values() for name in figures["figures"]))
    every = [one for figures in releases.values() for one in figures["figures"].values()]
    largest = {
        unit: max(one["value"] for one in every if one["unit"] == unit) for unit in {one["unit"] for one in every}
    }

    def parts() -> Iterator[str]:
        for row, name in enumerate(names):
            y = 40 + 90 * row
            found = {release: figures["figures"].get(name) for release, figures in releases.items()}
            unit, budget = next((one["unit"], one.get("budget")) for one in reversed(found.values()) if one)
            top = largest[unit]
            yield text(
                20,
                y,
                f"{name} ({unit}{f', at most {budget:g}' if budget else ''})",
                text_anchor="start",
                font_weight="bold",
            )
            for place, (release, one) in enumerate(found.items()):
                x, width = 110, 560 * (one["value"] / top) if one else 0
                at = y + 12 + 24 * place
                yield text(100, at + 13, release, text_anchor="end", fill=PALE)
                if one:
                    yield f'<rect x="{x}" y="{at}" width="{width:.0f}" height="18" fill="#54aeff"/>'
                    yield text(x + width + 8, at + 13, f"{one['value']:g}", text_anchor="start")
            if budget:
                x = 110 + 560 * budget / top
                yield line(x, y + 8, x, y + 12 + 24 * len(releases), RED, tip=False, dash="3 3")

    return svg(760, 30 + 90 * max(len(names), 1), parts())


def make_project(folder: Path) -> None:
    """Make a repository with the script of the README, its data, and three stages."""
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "raw.csv").write_text("".join(f"{number}\n" for number in range(1, 10)))
    script = README.search((DOCS.parent / "README.md").read_text(encoding="utf-8"))
    assert script, "the README has a script"  # noqa: S101
    (folder / "my_experiment.py").write_text(script[1])
    for name, (names, save_dir, field) in STAGES.items():
        stage = f'@load_stage("{field.partition(":")[0]}")' if field else ""
        (folder / name).write_text(STAGE.format(names=names, save_dir=save_dir, field=field, stage=stage))
    (folder / ".gitignore").write_text("results\nmlflow.db\nmlruns\n__pycache__\n")
    for words in (["init", "-qb", "main"], ["config", "user.name", "Ana"], ["config", "user.email", "ana@example.org"]):
        subprocess.run(["git", *words], cwd=folder, check=True)


def shell(folder: Path, command: str, *, color: bool = True) -> str:
    """Run a command as at a terminal, and give what it prints."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("MLFLOW_", "NAGA_"))}
    own = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "COLUMNS": "96"}
    own |= {"FORCE_COLOR": "1"} if color else {}
    words = ["sh", "-c", command]
    done = subprocess.run(words, cwd=folder, env=plain | own, text=True, capture_output=True, check=False)  # fmt: skip
    return done.stdout + done.stderr


def terminal(folder: Path) -> str:
    """Record a session."""
    shown = [
        "python my_experiment.py save_dir=results/mean/first",
        "python my_experiment.py save_dir=results/mean/square power=2",
        "naga ls results --columns status,diag,save_dir,config.power,metrics.mean",
        "python my_experiment.py powr=2",
        "naga diff results/mean/first results/mean/square --only config,metrics",
        "naga verify results/mean/first",
    ]
    console = Console(record=True, width=96, file=io.StringIO())
    for command in shown:
        console.print(Text.assemble(("$ ", "green"), (command, "bold")))
        console.print(Text.from_ansi(shell(folder, command).replace(str(folder), "/home/ana/project")))
    return console.export_svg(title="naga", unique_id="naga")


def lineage(folder: Path) -> str:
    """Draw what three stages were made from, the first of them computed again."""
    for script in (*STAGES, "prepare.py scale=2"):
        shell(folder, f"python {script}")
    return shell(folder, "naga graph results --format svg", color=False)


if __name__ == "__main__":
    main()
