"""Finding a task in a worker: by its script or module and its name there, in the folder that it was sent from.

A worker of joblib, dask, submitit or another scheduler has a main module of its own, so that the name ``__main__.main``
means nothing to it. It runs the parent's script once more, as `multiprocessing` does: under the name ``__mp_main__``,
which no ``if __name__ == "__main__"`` lets pass, and by which the parent finds the classes of what comes back.
"""

import importlib
import os
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from naga.errors import NagaError, UsageError
from naga.frozen import dataclass
from naga.process.entry_point import file_of, globals_of, task_name

_SCRIPT = ("__main__", "__mp_main__")
_loaded: dict[str, ModuleType] = {}  # the scripts that this worker has run to their end, by file
_loading: list[str] = []  # of the whole process: a script that sends all at once does so from threads of its own
_one_at_a_time = threading.RLock()  # a worker of dask has several threads


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a task was sent from: its name there, and the folder that its relative paths start from."""

    task: str
    folder: str

    def enter(self) -> None:
        """Go to the folder, and stay: another thread of the worker may be computing there."""
        if self.folder and _here() != self.folder:
            try:
                os.chdir(self.folder)
            except OSError as error:
                raise UsageError(
                    f"{self.task} was sent from '{self.folder}', which this worker on {os.uname().nodename} cannot"
                    f" enter: {error.strerror}",
                    hint="start the workers where the project's folder can be seen",
                ) from error


def origin_of(fn: Any) -> Origin:
    """Say where a function is sent from."""
    return Origin(task=task_name(fn), folder=_here())


def _here() -> str:
    try:
        return os.getcwd()  # noqa: PTH109  # as text: it is pickled, and a folder that is gone has none
    except OSError:
        return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """What finds a task in another process.

    ``root`` is the folder of ``sys.path`` that its module was found in, ``package`` that of a script started by ``-m``;
    ``bound`` tells a static method, as its class gives it, from what the class holds.
    """

    module: str
    file: str | None
    root: str
    package: str
    name: str
    bound: bool
    argv: tuple[str, ...]

    def at_hand(self) -> Any:
        """Return the task if this process has imported its module, as children of `multiprocessing` have."""
        is_loaded = self._script() is not None if self.module in _SCRIPT else self.module in sys.modules
        return self._entry(vars(self._module())) if is_loaded else None

    def load(self) -> Any:
        """Return the task, importing its module or running its script if needed."""
        found = self._entry(vars(self._module()))
        if found is None:
            raise UsageError(
                f"'{self.file or self.module}' has no {self.name} in this worker", hint="restart the workers"
            )
        return found

    def _entry(self, namespace: Mapping[str, Any]) -> Any:
        owner, entry = _look_up(namespace, self.name)
        return entry.__get__(None, owner) if self.bound and entry is not None else entry

    def _module(self) -> ModuleType:
        with _one_at_a_time:
            if self.module in _SCRIPT:
                return self._script() or self._run_script()
            if self.module in sys.modules:
                return importlib.import_module(self.module)  # which waits for another thread that imports it
            self._find_siblings()
            with self._refusal():
                return importlib.import_module(self.module)

    def _script(self) -> ModuleType | None:
        main = sys.modules.get("__main__")
        if main is not None and self.file == os.path.abspath(getattr(main, "__file__", None) or ""):  # noqa: PTH100
            return main
        return _loaded.get(self.file or "")

    def _run_script(self) -> ModuleType:
        module, file = ModuleType("__mp_main__"), str(self.file)
        module.__file__, module.__package__ = file, self.package or None
        argv = sys.argv
        self._find_siblings()
        sys.modules["__mp_main__"], sys.argv = module, list(self.argv)
        _loading.append(file)
        try:
            with self._refusal():
                if self.package:
                    importlib.import_module(self.package)
                exec(compile(Path(file).read_bytes(), file, "exec", dont_inherit=True), vars(module))  # noqa: S102
        finally:
            sys.argv = argv
            _loading.remove(file)
        _loaded[file] = module
        return module

    @contextmanager
    def _refusal(self) -> Iterator[None]:
        """Say in one line why a module cannot be imported, whatever it raises."""
        try:
            yield
        except NagaError:
            raise
        except (Exception, SystemExit) as error:  # the user's code
            raise UsageError(
                f"this worker cannot import '{self.file or self.module}': {type(error).__name__}: {error}",
                hint='what only the script itself is to do goes below if __name__ == "__main__":',
            ) from error

    def _find_siblings(self) -> None:
        if self.root and self.root not in sys.path:
            sys.path.insert(0, self.root)


def is_loading_script() -> bool:
    """Return whether this worker is running its parent's script, only to find a task in it."""
    return bool(_loading)


def reference_to(task: Any) -> Reference | None:
    """Return a reference by which a worker finds a task; None for a notebook's cell, a pipe, or what has no name."""
    module, fn = task.__module__, task.fn
    file = file_of(fn)
    home = globals_of(fn) if module in _SCRIPT else vars(sys.modules.get(module, ModuleType(module)))
    name = _name_of(task, home)
    if name is None or (module in _SCRIPT and (file is None or file.name != Path(home["__file__"]).name)):
        return None
    if module in _SCRIPT:
        importlib.import_module("multiprocessing")  # gives the main module its other name
    package = str(home.get("__package__") or "") if module in _SCRIPT else module.rpartition(".")[0]
    return Reference(
        module=module,
        file=str(file) if file else None,
        root=_root(file, package) if file else "",
        package=package if module in _SCRIPT else "",
        name=name,
        bound=_look_up(home, name)[1] is not task,
        argv=tuple(sys.argv) if module in _SCRIPT else (),
    )


def _root(file: Path, package: str) -> str:
    folder = file.parent.parent if file.name == "__init__.py" else file.parent
    for _ in filter(None, package.split(".")):
        folder = folder.parent
    return str(folder)


def _name_of(task: Any, namespace: Mapping[str, Any]) -> str | None:
    """Find the name of a task: that of its function, or another that it was assigned to."""
    entry = _look_up(namespace, task.__qualname__)[1]
    if entry is task or (entry is not None and _is_same(entry, task)):
        return str(task.__qualname__)
    return next((name for name, value in namespace.items() if value is task), None)


def _is_same(entry: Any, task: Any) -> bool:
    """Return whether a task is the static method of a class, which returns a new object at each access."""
    return type(entry) is type(task) and isinstance(entry.fn, staticmethod) and entry.fn.__func__ is task.fn


def _look_up(namespace: Mapping[str, Any], name: str) -> tuple[Any, Any]:
    """Find the object of a dotted name, unbound, and the class that holds it."""
    *owners, last = name.split(".")
    owner: Any = None
    for part in owners:
        owner = namespace.get(part)
        if not isinstance(owner, type):
            return None, None
        namespace = vars(owner)
    return owner, namespace.get(last)
