"""`naga graph`, `naga whence`, `naga rm` and `naga gc`: what was made from what, and what can be removed."""

import argparse
import os
from pathlib import Path

from naga.cli.tables import size_text
from naga.compare.graph import as_json, as_mermaid, as_svg, as_tree, by_task, graph_of, related
from naga.compare.whence import Origin, whence
from naga.errors import NagaError, RunNotFoundError, UsageError
from naga.layout import ARCHIVE, LOCK_NAME
from naga.paths import near
from naga.process.identity import this_process
from naga.runs.filter import Filter
from naga.runs.find import each_run, load_run
from naga.runs.select import select_runs
from naga.save_dir.claim import set_aside
from naga.terminal import print_asked, print_lines, say
from naga.tidy.removal import Candidate, age_of, candidates, finish_removals, remove_all
from naga.wording import plural


def graph(words: argparse.Namespace) -> int:
    """Print the lineage of runs."""
    if Path(words.root).is_dir() and not (Path(words.root) / LOCK_NAME).exists():
        runs = list(each_run(words.root, archived=True))
        read = {up.run_id for run in runs for up in run.summary.upstream}
        shown = [run for run in runs if ARCHIVE not in run.save_dir.parts or run.run_id in read]
        drawn = graph_of(shown, near, files=words.files)
    else:
        run = load_run(words.root)
        around = {
            one.run_id: one for one in (*each_run(Path.cwd(), archived=True), *each_run(run.save_dir.parent), run)
        }
        drawn = related(graph_of(list(around.values()), near, files=words.files), run.run_id)
    if words.format == "json":
        print_asked(as_json(drawn) + "\n")
    elif words.format == "svg":
        print_asked(as_svg(by_task(drawn)) + "\n")
    else:
        lines = as_mermaid(by_task(drawn)) if words.format == "mermaid" else as_tree(drawn)
        print_lines(*lines)
    return 0


def whence_files(words: argparse.Namespace) -> int:
    """Say which runs made files; 1 where one is of none."""
    code = 0
    for name in words.files:
        file = Path(name)
        if not file.is_file():
            raise UsageError(f"no file '{name}'", hint="naga whence figure.png")
        origins = whence(file, [Path.cwd()])
        for origin in origins:
            print_lines(f"{name}  {_origin(origin)}")
        if not origins:
            print_lines(f"{name}  of no run that is known here")
            code = 1
    return code


def _origin(origin: Origin) -> str:
    run = origin.run
    made = f"{_diag_of(origin)} of " if origin.is_diag else ""
    commit = next((f", commit {code.commit[:10]}" for code in run.record.code if code.commit), "")
    changed = "" if origin.is_content else "; it is there, but its content is not what was recorded"
    return f"{made}run {run.run_id} ({run.summary.task}{commit}), {near(run.save_dir)}/{origin.path}{changed}"


def _diag_of(origin: Origin) -> str:
    """Name the diag and its MLflow run, where that is the one that was published last."""
    noted, folder = origin.run.summary.publication, Path(origin.path).parts[1]
    if str(noted.get("generation")) != folder:
        return f"an earlier diag ({folder})" if folder.isdecimal() else "a diag"
    return f"diag {noted.get('diag') or 'of a notebook'} (MLflow run {noted.get('mlflow_run_id')})"


def rm(words: argparse.Namespace) -> int:
    """Move runs to the archive."""
    for run in select_runs(words.runs, Filter()):
        print_lines(f"{near(run.save_dir)} -> {near(set_aside(run.save_dir, this_process(), run_id=run.run_id))}")
    return 0


def gc(words: argparse.Namespace) -> int:
    """List the runs that could be removed; with ``--yes`` remove them."""
    root = Path(os.path.abspath(words.root))  # noqa: PTH100  # as the runs below it are named
    if not root.is_dir():
        raise RunNotFoundError(f"no folder '{words.root}'", hint="naga gc results")
    found = candidates(root, older=age_of(words.older), failed=words.failed, archived=words.archived)
    going = [one for one in found if not one.needed_by]
    for one in found:
        line = f"{one.why:<9} {size_text(one.size_bytes):>10}  {near(one.run.save_dir)}  {one.run.run_id}"
        print_lines(line + (f"  (stays: {one.needed_by})" if one.needed_by else ""))
    total = f"{plural(len(going), 'run')}, {size_text(sum(one.size_bytes for one in going))}"
    if not going:
        print_asked("nothing to remove\n")
    elif not words.yes:
        print_asked(f"{total}: nothing was removed; --yes removes them\n")
    if not words.yes:
        return 0
    return _removed(going, root, mlflow=words.mlflow)


def _removed(going: list[Candidate], root: Path, *, mlflow: bool) -> int:
    """Remove runs, after what an interrupted removal has left; 1 where one could not be removed."""
    for line in finish_removals(root):
        say(line)
    code = 0
    for one, done in remove_all(going, root):
        if isinstance(done, NagaError):
            say(f"left: {done.message}")
            code = 1
            continue
        print_lines(*done)
        if mlflow:
            _remove_published(one.run.run_id, root)
    return code


def _remove_published(run_id: str, root: Path) -> None:
    from naga.tracking.published_runs import delete_published
    from naga.tracking.store import store_of

    for name in delete_published(store_of(root), run_id):
        print_asked(f"deleted MLflow run {name}\n")
