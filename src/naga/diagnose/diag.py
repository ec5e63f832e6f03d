"""The callable that ``@mlflow_log_run`` makes of a function."""

import inspect
import shlex
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar

from naga.declarations import PathOf, Upgrade
from naga.errors import LockError, report_uncaught
from naga.frozen import dataclass
from naga.paths import near
from naga.process.entry_point import is_script
from naga.record.lockfile import read_lock
from naga.runs.find import Run
from naga.terminal import say
from naga.wrapper import Decorated

# What a diag does is imported when it is called: most scripts that declare one compute for hours first, or only that.
if TYPE_CHECKING:
    from naga.config.upgrade import Upgraded
    from naga.diagnose.diag_key import DiagKey

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True, slots=True, kw_only=True)
class DiagOptions:
    """How a diag is called by those who call it for many runs.

    ``project`` is the folder whose store is used where none is configured; by default the diag's own. ``files_in`` is
    where the folders of `naga.diag_dir` are made; by default the run's folder. ``strict`` makes an error of a diag that
    changes what the run left.
    """

    project: Path | None = None
    files_in: Path | None = None
    strict: bool = False


@dataclass(frozen=True, slots=True)
class DiagCall(Generic[R]):
    """What one call means: its run, what it publishes, and the function with its arguments."""

    run: Run
    log: Path | None
    reading: "Upgraded"
    key: "DiagKey"
    body: Callable[[], R]


class Diag(Decorated[P, R]):
    """A function each call of which publishes a run.

    Made by `mlflow_log_run`. Its first argument is one of

    - the run's configuration, as ``main`` returned it;
    - the path of the run's folder, or of its run.lock;
    - a `naga.Run`.

    In the last two cases the function is given the recorded configuration, as the task that made the run declares it
    today.

    Attributes
    ----------
    fn : callable
        The undecorated function.
    """

    def __init__(
        self,
        fn: Callable[P, R],
        *,
        run_lock_path: PathOf,
        log_file_path: PathOf,
        allow_unfinished: bool,
        upgrade: Upgrade | None,
        experiment: str | None = None,
    ) -> None:
        super().__init__(fn)
        self._experiment = experiment
        self._options: dict[str, Any] = {
            "run_lock_path": run_lock_path,
            "log_file_path": log_file_path,
            "allow_unfinished": allow_unfinished,
            "upgrade": upgrade,
        }
        self._commits: dict[str, str] = {}

    def __call__(self, *args: Any, **kwargs: Any) -> R:
        """Publish one run and return what the function returns."""
        from naga.diagnose.reading import reading_lines

        if self._origin:
            self._origin.enter()
        elif is_script(self.fn):
            report_uncaught()
        call = self.ask(args, kwargs)
        for line in reading_lines([call.reading]):
            say(line)
        return self.publish(call)

    def ask(self, args: Sequence[Any], kwargs: Mapping[str, Any], *, recorded: bool = False) -> DiagCall[R]:
        """Decide what a call means, before anything is written."""
        from naga.diagnose.diag_key import diag_key_of
        from naga.diagnose.target import target_of

        bound = inspect.signature(self.fn).bind(*args, **kwargs)
        given = dict(bound.arguments)
        bound.apply_defaults()
        parameter, given_first = next(iter(bound.arguments.items()), ("", None))
        target = target_of(self.fn, given_first, **self._options)
        # Defaults are part of the code.
        further = {name: value for name, value in given.items() if name != parameter}
        if parameter:
            bound.arguments[parameter] = target.config
        key = diag_key_of(self.fn, self.file, further, recorded=recorded)
        return DiagCall(target.run, target.log, target.reading, key, lambda: self.fn(*bound.args, **bound.kwargs))

    def read(self, run: Run) -> "Upgraded":
        """Read the configuration of a run as the function would be given it."""
        from naga.diagnose.reading import read_run

        return read_run(run, self.fn, self._options["upgrade"])

    def publish(self, call: DiagCall[R], options: DiagOptions | None = None) -> R:
        """Publish what a call means."""
        from naga.diagnose.content import publication_of
        from naga.diagnose.publish import Destination, publish

        options = options or DiagOptions()
        run = call.run
        where = Destination(
            project=options.project or (self.file.parent if self.file else Path.cwd()),
            experiment=self._experiment,
            files_in=options.files_in or run.save_dir,
            note_in=None if options.files_in else run.save_dir,  # a preview leaves nothing beside the run
        )
        publication = publication_of(
            run,
            published_by=self.__qualname__,
            key=call.key,
            diag_commit=self._commit(call),
            log=call.log,
            filled=call.reading.filled,
        )
        body, require_same_run = partial(_read_only, call, options), partial(_require_same_run, run)
        return publish(publication, body, where, require_same_run, later=self._later(run.save_dir))

    def _commit(self, call: DiagCall[R]) -> str | None:
        """Snapshot the code of the diag, once in a process for each state of it."""
        if self.file is None or call.key.recorded:
            return None
        from naga.diagnose.diag_code import diag_commit

        known = self._commits.get(call.key.code)
        if known is None and (known := diag_commit(self.file, self.__qualname__, call.run)):
            self._commits[call.key.code] = known
        return known

    @property
    def file(self) -> Path | None:
        """Where it was written; None at a prompt or in a notebook."""
        try:
            file = Path(inspect.getfile(self.fn)).resolve()
        except (TypeError, OSError):
            return None
        return file if file.is_file() else None

    def _later(self, save_dir: Path) -> str:
        """Return the command that publishes a run when the server is back."""
        if self.file is None:
            return f"later: {self.__name__}({near(save_dir)!r})"
        return f"later: python {shlex.quote(near(self.file))} --reuse {shlex.quote(near(save_dir))}"


def _read_only(call: DiagCall[R], options: DiagOptions) -> R:
    """Run a diag's body, and check that it changes no result of its run."""
    from naga.diagnose.results_guard import require_untouched

    return require_untouched(call.run.save_dir, call.body, strict=options.strict)


def _require_same_run(run: Run) -> None:
    """Refuse to publish if a new run has taken the folder meanwhile: what was read may be of both."""
    from naga.diagnose.publish import FolderTakenError

    try:
        found = read_lock(run.lock_path)
    except LockError as error:
        raise FolderTakenError(
            f"run {run.run_id} is no longer in '{run.save_dir}', where its diag read it: not published",
            hint="diagnose it again, where it is now",
        ) from error
    if (found.run_id, found.attempt) != (run.run_id, run.record.attempt):
        raise FolderTakenError(
            f"run {found.run_id} took '{run.save_dir}' while the diag of {run.run_id} read it: not published",
            hint="diagnose it again",
        )
