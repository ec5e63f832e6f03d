"""What a process does that diagnoses one run after the other: MLflow and the script are imported once."""

import io
import os
import re
import traceback
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from naga.diagnose.batch.outcome import Difference, Order, Outcome
from naga.diagnose.batch.script import find_diag, load_script
from naga.diagnose.diag import Diag, Manner
from naga.diagnose.freshness import Standing
from naga.errors import NagaError, TrackerError, UnfinishedRunError
from naga.project import project_root
from naga.runs.find import Run, load_run
from naga.tracking.published_runs import artifacts_of, metrics_of, newest_pages
from naga.tracking.store import create_if_missing, local_file, require_mlflow, store_of


@dataclass(frozen=True)
class Bench:
    """What is set up once in a process: the diag, how it is called, and what the store held before."""

    diag: Diag[..., Any]
    manner: Manner
    uri: str
    standing: Standing


@lru_cache
def _set_up(order: Order, script: Path) -> Bench:
    """Import the script, which in `--code recorded` lies among the run's own code."""
    require_mlflow()
    project = order.script.parent
    for name in ("MLFLOW_EXPERIMENT_ID", "MLFLOW_EXPERIMENT_NAME"):
        if order.scratch is not None:
            os.environ.pop(name, None)
    diag = find_diag(load_script(script, project=project_root(project)), order.function)
    real = order.uri or store_of(project)
    needs_pages = order.only_stale or order.scratch is not None
    pages = newest_pages(real) if needs_pages else {}
    manner = Manner(project=project, strict=order.strict, files_in=order.scratch and order.scratch / f"{os.getpid()}")
    if order.scratch is not None:
        _publish_to(f"sqlite:///{order.scratch}/{os.getpid()}.db")
    elif order.uri:
        _publish_to(order.uri)
    return Bench(diag, manner, real, Standing(pages, project_root(script.parent)))


def _publish_to(uri: str) -> None:
    """Let MLflow use a store, whatever the script has said; new experiments keep their artifacts beside its file."""
    import mlflow

    file = local_file(uri)
    if file is not None:
        create_if_missing(uri, file.parent / "mlruns")
        os.environ["_MLFLOW_SERVER_ARTIFACT_ROOT"] = (file.parent / "mlruns").as_uri()
    mlflow.set_tracking_uri(uri)


def diagnose(order: Order, script: Path, folder: Path) -> Outcome:
    """Diagnose one run."""
    printed = io.StringIO()
    with redirect_stdout(printed), redirect_stderr(printed):
        bench = _set_up(order, script)
        outcome = _diagnose(order, bench, folder)
    return replace(outcome, printed=printed.getvalue())


def _diagnose(order: Order, bench: Bench, folder: Path) -> Outcome:
    try:
        run = load_run(folder)
        asked = bench.diag.ask((run,), {}, recorded=order.recorded)
        file, _, function = asked.recipe.diag.rpartition(":")
        if order.only_stale and bench.standing.is_fresh(run, file=file, function=function, recorded=order.recorded):
            return Outcome(save_dir=folder, kind="unchanged")
        bench.diag.publish(asked, bench.manner)
        if order.scratch is not None:
            return Outcome(save_dir=folder, kind="previewed", difference=_difference(bench, run))
        return Outcome(save_dir=folder, kind="published")
    except UnfinishedRunError as error:
        return Outcome(save_dir=folder, kind="skipped", reason=re.sub("^run .* in '.*' has", "it has", error.message))
    except NagaError as error:
        return Outcome(save_dir=folder, kind="failed", reason=error.message, lost=isinstance(error, TrackerError))
    except (Exception, SystemExit) as error:  # noqa: BLE001  # it is the user's code
        return Outcome(save_dir=folder, kind="failed", reason=_first_line(error))


def _first_line(error: BaseException) -> str:
    line = f"{type(error).__name__}: {error}".strip().splitlines()[0]
    own = [frame for frame in traceback.extract_tb(error.__traceback__) if "site-packages" not in frame.filename]
    return f"{line} ({Path(own[-1].filename).name}:{own[-1].lineno})" if own else line


def _difference(bench: Bench, run: Run) -> Difference:
    """Compare what was published to the throw-away store with the page in the real one."""
    import mlflow

    uri = mlflow.get_tracking_uri()
    page, old = newest_pages(uri)[run.run_id], bench.standing.page(run)
    now = metrics_of(uri, page)
    was = metrics_of(bench.uri, old) if old else {}
    files, files_before = artifacts_of(uri, page), artifacts_of(bench.uri, old) if old else set()
    return Difference(
        before=old.name if old else "",
        metrics=tuple((key, was.get(key), now.get(key)) for key in sorted(was.keys() | now.keys())),
        new=tuple(sorted(files - files_before)),
        gone=tuple(sorted(files_before - files)),
    )
