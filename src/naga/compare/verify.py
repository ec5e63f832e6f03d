"""Comparing all that a run names with what it was."""

from collections.abc import Iterator
from pathlib import Path

from naga.capture.code.snapshot import check_code
from naga.capture.data import inputs, outputs
from naga.capture.data.manifest import compare, listed
from naga.errors import LockError, NagaError
from naga.hashing.format import Tree
from naga.layout import INPUTS_LIST, LOCK_NAME, OUTPUTS_LIST, naga_folder
from naga.record.lockfile import lock_hash
from naga.record.opener import read_json
from naga.record.schema import FINAL, Upstream
from naga.runs.find import Run
from naga.save_dir.archive import archived_places
from naga.wording import and_more

_SHOWN = 10


def verify(run: Run) -> tuple[str, ...]:
    """Compare a run's outputs, inputs, code and upstream runs with what its run.lock says of them.

    All files are read; the cache of hashes is not asked. Nothing is written.
    """
    if run.record.status not in FINAL:
        return (f"the run has not ended: it is {run.status}",)
    return (*_outputs(run), *_inputs(run), *_code(run), *_upstream(run))


def _outputs(run: Run) -> Iterator[str]:
    expected = run.record.outputs
    if expected is None:
        return
    if expected.hash is None:
        yield f"outputs: not checked: {expected.reason} (naga hash --record '{run.save_dir}')"
        return
    try:
        tree = outputs.hash_outputs(run.save_dir)
    except NagaError as error:
        yield f"outputs: {error.message}"
    else:
        if tree.hash != expected.hash:
            yield from _differences("outputs", _list(run, OUTPUTS_LIST), tree)


def _inputs(run: Run) -> Iterator[str]:
    known = _list(run, INPUTS_LIST)
    for key, data in run.record.data.items():
        try:
            tree = inputs.hash_again(key, data, _base(run), run.record.upstream) if data.hash else None
        except NagaError as error:
            yield f"data: {error.message}"
        else:
            if tree is not None and tree.hash != data.hash:
                below = known.get(key) if isinstance(known, dict) else None
                yield from _differences(f"data: {key} = {data.path}", below, tree)


def _code(run: Run) -> Iterator[str]:
    for code in run.record.code:
        if code.commit and (problem := check_code(code, _base(run))):
            yield f"code: {code.name}: {problem}"


def _upstream(run: Run) -> Iterator[str]:
    for upstream in run.record.upstream:
        folder = _base(run) / upstream.save_dir
        if not any(_is(place, upstream) for place in (folder, *archived_places(folder, upstream.run_id))):
            yield f"upstream: {upstream.save_dir} is no longer run {upstream.run_id} as it was"


def _is(folder: Path, upstream: Upstream) -> bool:
    try:
        return lock_hash(folder / LOCK_NAME) == upstream.lock_hash
    except OSError:
        return False


def _base(run: Run) -> Path:
    """Give the folder that the run's relative paths count from; on another machine, the one that we are in."""
    there = Path(run.record.process.cwd)
    return there if there.is_dir() else Path.cwd()


def _list(run: Run, name: str) -> object:
    """Read a list of the run's files; without one, that something differs can still be told."""
    try:
        return read_json(run.save_dir, naga_folder(run.save_dir) / name)
    except (OSError, LockError):
        return None


def _differences(what: str, known: object, tree: Tree) -> Iterator[str]:
    try:
        lines = list(compare(listed(known), tree)) if isinstance(known, list) else []
    except (KeyError, TypeError):
        lines = []
    yield from (f"{what}: {line}" for line in lines[:_SHOWN])
    if len(lines) > _SHOWN:
        yield f"{what}:{and_more(len(lines) - _SHOWN)}"
    if not lines:
        yield f"{what}: not what it was"
