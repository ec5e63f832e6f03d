"""Comparing everything that a run recorded with what is there now."""

from collections.abc import Iterator

from naga.capture.code.snapshot import check_code
from naga.capture.data import inputs, outputs
from naga.capture.data.manifest import compare, listed, read_list
from naga.compare.lineage import base_of, find_upstream
from naga.errors import NagaError
from naga.hashing.format import Tree
from naga.layout import INPUTS_LIST, OUTPUTS_LIST
from naga.record.schema import FINAL
from naga.runs.find import Run
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
            yield from _differences("outputs", read_list(run.save_dir, OUTPUTS_LIST), tree)


def _inputs(run: Run) -> Iterator[str]:
    known = read_list(run.save_dir, INPUTS_LIST)
    for key, data in run.record.data.items():
        try:
            tree = inputs.hash_again(key, data, base_of(run.record), run.record.upstream) if data.hash else None
        except NagaError as error:
            yield f"data: {error.message}"
        else:
            if tree is not None and tree.hash != data.hash:
                below = known.get(key) if isinstance(known, dict) else None
                yield from _differences(f"data: {key} = {data.path}", below, tree)
            elif tree is not None and data.reason:
                yield f"data: {key}: not checked: {data.reason}"


def _code(run: Run) -> Iterator[str]:
    for code in run.record.code:
        if code.commit and (problem := check_code(code, base_of(run.record))):
            yield f"code: {code.name}: {problem}"


def _upstream(run: Run) -> Iterator[str]:
    for upstream in run.record.upstream:
        if find_upstream(upstream, base_of(run.record)) is None:
            yield f"upstream: {upstream.save_dir} is no longer run {upstream.run_id} as it was"


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
