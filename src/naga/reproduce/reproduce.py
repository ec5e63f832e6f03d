"""``naga reproduce``: code, inputs, run, verdict, one phase after the other; a run that cannot be had stops early."""

import itertools
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from naga.capture.code.scratch import scratch
from naga.capture.data.inputs import hash_again
from naga.capture.data.outputs import hash_outputs
from naga.compare.diff import diff
from naga.compare.lineage import base_of
from naga.errors import NagaError, SaveDirError
from naga.frozen import dataclass
from naga.layout import LOCK_NAME, REPRODUCED
from naga.record.lockfile import lock_hash
from naga.reproduce.environment import make_environment
from naga.reproduce.restore import NotRestoredError, Restored, restore
from naga.reproduce.verdict import IDENTICAL, WITHIN, OutputVerdict, verdicts
from naga.runs.find import Run, load_run

REPRODUCED_WELL, DIFFERS, NOT_RESTORED = "reproduced", "differs", "not restored"
EXIT_CODES = {REPRODUCED_WELL: 0, DIFFERS: 1, NOT_RESTORED: 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What came of computing a run again.

    ``not_restored`` names what could not be had; ``differences`` what was not the same as then, in its code, inputs,
    environment or the originals; ``save_dir`` is where the reproduction lies, None where there is none.
    """

    verdict: str
    run_id: str
    outputs: tuple[OutputVerdict, ...] = ()
    not_restored: tuple[str, ...] = ()
    differences: tuple[str, ...] = ()
    save_dir: Path | None = None

    def to_dict(self) -> dict[str, Any]:
        """Give it as ``naga reproduce --format json`` prints it."""
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
    current_code: bool = False,
    tell: Callable[[str], None] = lambda _: None,
) -> Verdict:
    """Compute a run again, and compare what it leaves with what it left then; ``tell`` is called for each phase."""
    place = _place(run, to)
    try:
        with scratch("naga-reproduce-") as folder:
            tell("restoring the code and the inputs")
            restored = restore(run, folder / "code", current=current_code)
            python = _python(run, folder / "environment", tell) if recorded_environment else sys.executable
            before = _looked_at(run)
            tell(f"running {run.record.task} in '{place}'")
            said = _run(run, restored, place, folder, python)
            tell("comparing")
            return _judged(run, place, said, before, tolerances or {})
    except NotRestoredError as error:
        return Verdict(verdict=NOT_RESTORED, run_id=run.run_id, not_restored=error.reasons)
    except BaseException:
        _remove(place)
        raise


def _place(run: Run, to: Path | None) -> Path:
    if to is not None:
        if to.exists() and (not to.is_dir() or any(to.iterdir())):
            raise SaveDirError(f"'{to}' is there already", hint="--to <a new folder>")
        return to.absolute()
    return free_place(run.save_dir.parent, run.run_id)


def free_place(beside: Path, run_id: str) -> Path:
    """Name a folder that is not there yet for a reproduction."""
    places = (beside / REPRODUCED / f"{run_id}-{number}" for number in itertools.count(1))
    return next(place for place in places if not place.exists())


def _python(run: Run, folder: Path, tell: Callable[[str], None]) -> str:
    """Give the interpreter of an environment with the recorded packages."""
    if run.record.environment is None:
        raise NotRestoredError("environment: none is recorded")
    tell("restoring the environment")
    python, lacking = make_environment(run.record.environment, folder)
    if lacking:
        raise NotRestoredError(lacking[0], reasons=lacking)
    return python


def _run(run: Run, restored: Restored, place: Path, folder: Path, python: str) -> str:
    """Run the task in a process of its own; give the last that it said where it did not end well."""
    order = folder / "order.json"
    asked = {
        "script": str(restored.script),
        "lock": str(run.lock_path),
        "lock_hash": run.lock_hash,
        "was": str(run.save_dir),
        "save_dir": str(place),
        "python_path": os.environ.get("PYTHONPATH"),
        "current": restored.cwd == base_of(run.record),
    }
    order.write_text(json.dumps(asked), encoding="utf-8")
    environment = run.record.environment
    variables = {**os.environ, **(environment.variables if environment else {}), "NAGA_SNAPSHOT": "on"}
    variables["PYTHONPATH"] = str(Path(__file__).parents[2])  # what is run is this Naga, whatever the environment has
    # -P: nothing of the laid-out code stands in for a module of Python's.
    words = [python, "-P", "-m", "naga.reproduce.child", str(order)]
    done = subprocess.run(
        words, cwd=restored.cwd, env=variables, stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
    lines = done.stderr.decode(errors="replace").strip().splitlines()
    if not (place / LOCK_NAME).exists():
        _remove(place)
        said = [line.removeprefix("naga: ") for line in lines if line.startswith("naga: ")]
        last = (said or lines or [f"its process ended with {done.returncode}"])[-1]
        raise NotRestoredError(f"run: {last}")
    return lines[-1] if done.returncode and lines else ""


def _judged(run: Run, place: Path, said: str, before: Mapping[str, str], tolerances: Mapping[str, float]) -> Verdict:
    now = load_run(place)
    outputs = tuple(verdicts(run, now, tolerances))
    differences = [said] if said else []
    if now.status != "finished":
        error = now.record.error
        differences = [f"the reproduction is {now.status}" + (f": {error.type}: {error.message}" if error else "")]
    after = _looked_at(run)
    changed = [name for name in before.keys() | after.keys() if before.get(name) != after.get(name)]
    differences += [f"the original has changed meanwhile: {name}" for name in sorted(changed)]
    differences += _not_the_same(run, now)
    is_well = all(one.verdict in (IDENTICAL, WITHIN) for one in outputs) and now.status == "finished" and not changed
    return Verdict(
        verdict=REPRODUCED_WELL if is_well else DIFFERS,
        run_id=run.run_id,
        outputs=outputs,
        differences=tuple(differences),
        save_dir=place,
    )


def _looked_at(run: Run) -> dict[str, str]:
    """Hash a run's lock, outputs and inputs, file by file; what the cache knows is read only where it was touched."""
    base, found = base_of(run.record), {LOCK_NAME: lock_hash(run.lock_path)}
    trees = {"outputs": partial(hash_outputs, run.save_dir, fresh=False)}
    for key, data in run.record.data.items():
        upstream = run.record.upstream
        trees[f"{key} = {data.path}"] = partial(hash_again, key, data, base, upstream, fresh=False)
    for name, hash_ in trees.items():
        with suppress(NagaError):  # an input that is elsewhere now was looked at where that is
            found |= {f"{name}: {entry.path}": entry.hash for entry in hash_().entries()}
    return found


def _not_the_same(run: Run, now: Run) -> list[str]:
    """Name what the reproduction had otherwise than the run: packages, Python, inputs, variables, the processor."""
    found = diff(run, now, only=("data", "environment"))
    return [
        f"{part}: {one.key}: {one.values[0]} -> {one.values[1]}" for part, ones in found.parts.items() for one in ones
    ]


def repeated(run: Run, number: int, one: Callable[[], Verdict]) -> Verdict:
    """Compute a run several times; say whether the program differs from itself, or only from what it did then."""
    made = [one() for _ in range(number)]
    last = made[-1]
    if last.verdict != DIFFERS or len(made) < 2 or not all(each.save_dir for each in made):
        return last
    runs = [load_run(str(each.save_dir)) for each in made]
    same = all(each.verdict == IDENTICAL for other in runs[1:] for each in verdicts(runs[0], other, {}))
    line = (
        f"computed {number} times with the same outputs: it differs from what it did then"
        if same
        else f"computed {number} times with different outputs: the program differs from itself"
    )
    return Verdict(
        verdict=DIFFERS, run_id=run.run_id, outputs=last.outputs, differences=(line, *last.differences),
        save_dir=last.save_dir,
    )  # fmt: skip


def _remove(place: Path) -> None:
    """Remove what was begun, and the folder of reproductions where nothing else is in it."""
    shutil.rmtree(place, ignore_errors=True)
    with suppress(OSError):
        if place.parent.name == REPRODUCED:
            place.parent.rmdir()
