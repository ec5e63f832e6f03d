"""``naga reproduce``: code, inputs, run, verdict, one phase after the other; it stops where one is impossible."""

import errno
import itertools
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from naga.capture.code.scratch import scratch
from naga.capture.data.inputs import hash_again
from naga.capture.data.outputs import hash_outputs
from naga.compare.diff import Difference, diff
from naga.compare.lineage import base_of
from naga.errors import NagaError, SaveDirError
from naga.frozen import dataclass
from naga.layout import LOCK_NAME, REPRODUCED
from naga.process.signals import Signalled, Signals
from naga.record.lockfile import lock_hash
from naga.record.schema import Environment, from_plain, to_plain
from naga.reproduce.compute import compute, own_place
from naga.reproduce.environment import make_environment
from naga.reproduce.restore import NotRestoredError, Restored, restore
from naga.reproduce.verdict import IDENTICAL, WITHIN, OutputVerdict, verdicts
from naga.runs.find import Run, load_run

REPRODUCED_WELL, DIFFERS, NOT_RESTORED = "reproduced", "differs", "not restored"
_NO_ROOM = [os.strerror(number) for number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)]
EXIT_CODES = {REPRODUCED_WELL: 0, DIFFERS: 1, NOT_RESTORED: 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The result of computing a run again.

    ``not_restored`` names what could not be restored; ``differences`` what differed from the recorded run in code,
    inputs, environment or the originals; ``save_dir`` is where the reproduction is, None where there is none.
    """

    verdict: str
    run_id: str
    outputs: tuple[OutputVerdict, ...] = ()
    not_restored: tuple[str, ...] = ()
    differences: tuple[str, ...] = ()
    save_dir: Path | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the verdict as ``naga reproduce --format json`` prints it."""
        return {
            "verdict": self.verdict,
            "run_id": self.run_id,
            "outputs": [{"path": one.path, "verdict": one.verdict, "note": one.note} for one in self.outputs],
            "not_restored": list(self.not_restored),
            "differences": list(self.differences),
            "save_dir": str(self.save_dir) if self.save_dir else None,
        }


def reproduce(
    run: Run,
    *,
    to: Path | None = None,
    tolerances: Mapping[str, float] | None = None,
    recorded_environment: bool = False,
    build: bool = False,
    current_code: bool = False,
    tell: Callable[[str], None] = lambda _: None,
) -> Verdict:
    """Compute a run again, and compare its outputs with the recorded ones; ``tell`` is called for each phase."""
    with Signals() as signals:
        signals.let_through()
        try:
            with _begun(_place(run, to), signals) as place, scratch("naga-reproduce-") as folder:
                tell("restoring the code and the inputs")
                restored = restore(run, folder / "code", current=current_code)
                if recorded_environment:
                    tell("restoring the environment")
                python, unfit = _environment(run, restored, folder, build=build) if recorded_environment else ("", [])
                before = _looked_at(run)
                tell(f"running {run.record.task} in '{place}'")
                said = unfit + compute(run, restored, place, folder, python)
                tell("comparing")
                now = _as_laid_out(load_run(place), folder / "code")
                return _judged(run, now, said, before, tolerances or {}, with_code=current_code)
        except NotRestoredError as error:
            return Verdict(verdict=NOT_RESTORED, run_id=run.run_id, not_restored=error.reasons)
        except Signalled as error:
            tell(f"ended by {error}: the reproduction is removed")
            raise


def _place(run: Run, to: Path | None) -> Path:
    if to is not None:
        if to.exists() and (not to.is_dir() or any(to.iterdir())):
            raise SaveDirError(f"'{to}' is there already", hint="--to <a new folder>")
        if to.absolute().is_relative_to(run.save_dir):
            raise SaveDirError(f"'{to}' is in the folder of the run", hint="--to <a folder elsewhere>")
        return to.absolute()
    return free_place(run.save_dir.parent, run.run_id)


@contextmanager
def _begun(place: Path, signals: Signals) -> Iterator[Path]:
    """Make a folder for a reproduction; if that fails, everything is as it was before."""
    was_there, missing = place.exists(), [above for above in place.parents if not above.exists()]
    try:
        yield place
    except BaseException:
        with signals.holding():
            shutil.rmtree(place, ignore_errors=True)
            with suppress(OSError):  # another reproduction may have begun beside this one
                if was_there:
                    place.mkdir()
                for above in missing:
                    above.rmdir()
        raise


def free_place(beside: Path, run_id: str) -> Path:
    """Name a new folder for a reproduction."""
    places = (beside / REPRODUCED / f"{run_id}-{number}" for number in itertools.count(1))
    return next(place for place in places if not place.exists())


def _environment(run: Run, restored: Restored, folder: Path, *, build: bool) -> tuple[str, list[str]]:
    if run.record.environment is None:
        raise NotRestoredError("environment: none is recorded")
    return make_environment(
        run.record.environment, folder / "environment", restored.folders, own_place(folder), build=build
    )


def _as_laid_out(now: Run, top: Path) -> Run:
    """Replace the reproduction's folders by the recorded ones in what it recorded of its environment."""
    if now.record.environment is None:
        return now
    plain = json.dumps(to_plain(now.record.environment), ensure_ascii=False).replace(str(top), "")
    return Run(now.save_dir, replace(now.record, environment=from_plain(Environment, json.loads(plain))))


def _judged(
    run: Run, now: Run, said: list[str], before: Mapping[str, str], tolerances: Mapping[str, float], *, with_code: bool
) -> Verdict:
    outputs, differences = tuple(verdicts(run, now, tolerances)), list(said)
    if now.status != "finished":
        error = now.record.error
        differences = [f"the reproduction is {now.status}" + (f": {error.type}: {error.message}" if error else "")]
        if lack := next((reason for reason in _NO_ROOM if reason in f"{differences}{said}"), ""):
            raise NotRestoredError(f"run: {lack}")
    after = _looked_at(run)
    changed = [name for name in before.keys() | after.keys() if before.get(name) != after.get(name)]
    differences += [f"the original has changed meanwhile: {name}" for name in sorted(changed)]
    differences += _not_the_same(run, now, with_code=with_code)
    is_well = all(one.verdict in (IDENTICAL, WITHIN) for one in outputs) and now.status == "finished" and not changed
    return Verdict(
        verdict=REPRODUCED_WELL if is_well else DIFFERS,
        run_id=run.run_id,
        outputs=outputs,
        differences=tuple(differences),
        save_dir=now.save_dir,
    )


def _looked_at(run: Run) -> dict[str, str]:
    """Hash a run's lock, outputs and inputs, file by file, with the cache for files that were not touched."""
    base, found = base_of(run.record), {LOCK_NAME: lock_hash(run.lock_path)}
    trees = {"outputs": partial(hash_outputs, run.save_dir, fresh=False)}
    for key, data in run.record.data.items():
        upstream = run.record.upstream
        trees[f"{key} = {data.path}"] = partial(hash_again, key, data, base, upstream, fresh=False)
    for name, hash_ in trees.items():
        with suppress(NagaError):  # an input that is elsewhere now was looked at where that is
            found |= {f"{name}: {entry.path}": entry.hash for entry in hash_().entries()}
    return found


def _not_the_same(run: Run, now: Run, *, with_code: bool) -> list[str]:
    """Name what differs between the reproduction and the run: code, packages, Python, inputs, variables, processor."""
    found = diff(run, now, only=("code", "data", "environment") if with_code else ("data", "environment"))
    return [f"{part}: {one.key}: {_change(part, one)}" for part, ones in found.parts.items() for one in ones]


def _change(part: str, one: Difference) -> str:
    before, after = one.values
    if part != "code":
        return f"{before} -> {after}"
    return ("added" if before is None else "removed" if after is None else "changed") + (one.note and f" ({one.note})")


def repeated(number: int, one: Callable[[], Verdict], tolerances: Mapping[str, float]) -> Verdict:
    """Compute a run several times; say whether the repetitions differ from each other, or only from the record."""
    made = [one() for _ in range(number)]
    worst = max(made, key=lambda each: EXIT_CODES[each.verdict])
    if worst.verdict != DIFFERS or len(made) < 2:
        return worst
    runs = [load_run(each.save_dir) for each in made if each.save_dir]
    compared = (each for other in runs[1:] for each in verdicts(runs[0], other, tolerances))
    same = all(each.verdict in (IDENTICAL, WITHIN) for each in compared)
    line = (
        f"computed {number} times with the same outputs: it differs from what it did then"
        if same
        else f"computed {number} times with different outputs: the program differs from itself"
    )
    return replace(worst, differences=(line, *worst.differences))
