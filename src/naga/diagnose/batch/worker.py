"""The worker process, which diagnoses one run after the other: MLflow and the script are imported once."""

import io
import multiprocessing
import os
import re
import sys
import threading
import traceback
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from naga.diagnose.batch.outcome import BatchOptions, Difference, Outcome
from naga.diagnose.batch.recorded_code import lacking
from naga.diagnose.batch.script import find_diag, load_script
from naga.diagnose.diag import Diag, DiagOptions
from naga.diagnose.freshness import Freshness
from naga.errors import ConfigError, DiagError, NagaError, TrackerError, UnfinishedRunError
from naga.frozen import dataclass
from naga.project import project_root
from naga.runs.find import Run, load_run
from naga.tracking.published_runs import artifacts_of, metrics_of, newest_published
from naga.tracking.store import check_store, local_file, ready_store, require_mlflow, store_of, use_store
from naga.wording import first_line_of


@dataclass(frozen=True, slots=True)
class Prepared:
    """What is set up once in a process: the diag, how it is called, and what the store held before."""

    script: Path
    diag: Diag[..., Any]
    options: DiagOptions
    uri: str
    freshness: Freshness


@lru_cache
def _set_up(order: BatchOptions, script: Path) -> Prepared:
    """Import the script, which with `--code recorded` is among the run's own code."""
    project = order.script.parent
    asked = order.uri or store_of(project)
    check_store(asked)
    require_mlflow()
    used = _set_store(order, asked)
    diag = find_diag(load_script(script, project=project_root(project)), order.function)
    said = store_of(project)
    real = "" if order.check else asked if order.uri or said == used else said
    needs_published = order.only_stale or order.scratch is not None
    published = newest_published(real) if needs_published else {}
    options = DiagOptions(
        project=project, strict=order.strict, files_in=order.scratch and order.scratch / f"{os.getpid()}"
    )
    if order.scratch or order.uri:
        use_store(used)
    return Prepared(script, diag, options, real, Freshness(published, project_root(script.parent)))


def _set_store(order: BatchOptions, asked: str) -> str:
    """Set the store that MLflow uses before the script, whose first lines may use it, is imported; return its URI."""
    if order.scratch is not None:
        os.environ.pop("MLFLOW_EXPERIMENT_ID", None)
        os.environ.pop("MLFLOW_EXPERIMENT_NAME", None)
    used = f"sqlite:///{order.scratch}/{os.getpid()}.db" if order.scratch else asked
    os.environ["MLFLOW_TRACKING_URI"] = used
    return used


def end_with_parent() -> None:
    """Let this process end when the one that gives it work is killed: nothing else would ever end it."""
    parent = multiprocessing.parent_process()

    def watch() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=watch, name="naga-parent", daemon=True).start()


def diagnose(order: BatchOptions, script: Path, folder: Path) -> Outcome:
    """Diagnose one run."""
    printed = io.StringIO()
    with redirect_stdout(printed), redirect_stderr(printed):
        try:
            outcome = _diagnose(order, _set_up(order, script), folder)
        except DiagError as error:
            if not (order.recorded and (reason := lacking(error, project_root(script.parent)))):
                raise
            outcome = Outcome(save_dir=folder, kind="failed", reason=reason)
    return replace(outcome, printed=printed.getvalue())


def _diagnose(order: BatchOptions, prepared: Prepared, folder: Path) -> Outcome:
    try:
        return _done(order, prepared, load_run(folder))
    except UnfinishedRunError as error:
        return Outcome(save_dir=folder, kind="skipped", reason=re.sub("^run .* in '.*' has", "it has", error.message))
    except ConfigError as error:
        misfit = re.sub(r" is .*, not ", " is not ", error.message, flags=re.DOTALL)
        return Outcome(save_dir=folder, kind="failed", reason=str(error), misfit=misfit)
    except NagaError as error:
        return Outcome(save_dir=folder, kind="failed", reason=error.message, lost=isinstance(error, TrackerError))
    except (Exception, SystemExit) as error:  # noqa: BLE001  # it is the user's code
        reason = lacking(error, project_root(prepared.script.parent)) if order.recorded else ""
        return Outcome(save_dir=folder, kind="failed", reason=reason or _first_line(error))


def _done(order: BatchOptions, prepared: Prepared, run: Run) -> Outcome:
    if order.check:
        return Outcome(save_dir=run.save_dir, kind="readable", reading=replace(prepared.diag.read(run), value=None))
    call = prepared.diag.ask((run,), {}, recorded=order.recorded)
    file, _, function = call.key.diag.rpartition(":")
    if order.only_stale and prepared.freshness.is_fresh(run, file=file, function=function, recorded=order.recorded):
        return Outcome(save_dir=run.save_dir, kind="unchanged")
    store = local_file(prepared.uri)
    if store is not None and order.scratch is None and not store.exists():
        with redirect_stderr(sys.__stderr__):  # what it says is of this moment, not of the run
            ready_store(order.script.parent)
    prepared.diag.publish(call, prepared.options)
    done = Outcome(save_dir=run.save_dir, kind="published", reading=replace(call.reading, value=None))
    if order.scratch is None:
        return done
    return replace(done, kind="previewed", difference=_difference(prepared, run))


def _first_line(error: BaseException) -> str:
    line = first_line_of(error)
    own = [frame for frame in traceback.extract_tb(error.__traceback__) if "site-packages" not in frame.filename]
    return f"{line} ({Path(own[-1].filename).name}:{own[-1].lineno})" if own else line


def _difference(prepared: Prepared, run: Run) -> Difference:
    """Compare what was published to the throw-away store with the MLflow run in the real one."""
    uri = store_of(Path.cwd())
    new, old = newest_published(uri)[run.run_id], prepared.freshness.published(run)
    now = metrics_of(uri, new)
    was = metrics_of(prepared.uri, old) if old else {}
    files, files_before = artifacts_of(uri, new), artifacts_of(prepared.uri, old) if old else set()
    return Difference(
        before=old.name if old else "",
        metrics=tuple((key, was.get(key), now.get(key)) for key in sorted(was.keys() | now.keys())),
        new=tuple(sorted(files - files_before)),
        gone=tuple(sorted(files_before - files)),
    )
