"""The command `naga`: one function per command; what they do is in the layers below."""

import argparse
import io
import os
import sys
from collections.abc import Sequence
from typing import Any

import naga
from naga.cli.ls import FORMATS, ls
from naga.cli.notes import add_note_commands
from naga.cli.reproduce import add_reproduce_commands
from naga.cli.runs import doctor, hash_paths, mlflow_view, show, verify_runs
from naga.cli.sweep import add_sweep_commands
from naga.cli.tidy import add_tidy_commands
from naga.errors import NagaError, RunNotFoundError, UsageError, one_line, unreadable
from naga.runs.filter import COLUMNS

_RUN = "a save_dir, its run.lock, a run_id or a unique beginning of one"
_RUNS = f"{_RUN}, or a quoted pattern of save_dirs: 'results/**'"
_FILTER = (
    "terms, as in 'config.lr>0.01 and (status=failed or tags~best)': a field (" + ", ".join(COLUMNS) + ", config.KEY, "
    "metrics.KEY), one of = != < <= > >= ~, and a value"
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line."""
    sys.stdout = sys.stdout or io.StringIO()  # closed by a shell (`>&-`): no one wants to read it
    for stream in (sys.stdout, sys.stderr):  # a name that the terminal's encoding has no letters for is shown, escaped
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        words = _read(sys.argv[1:] if argv is None else argv)
        code: int = words.command(words)
    except NagaError as error:
        print(one_line(error, otherwise="naga --help"), file=sys.stderr)
        return error.exit_code
    except BrokenPipeError:
        # Whoever read the table has seen enough (`naga ls | head`).
        sys.stderr.close()
        return 0
    except OSError as error:
        print(one_line(unreadable(error)), file=sys.stderr)
        return NagaError.exit_code
    return code


def _read(argv: Sequence[str]) -> argparse.Namespace:
    parser = _parser()
    if "_ARGCOMPLETE" in os.environ:  # a shell asks what a word may be
        from naga.cli.completion import complete

        complete(parser)
    words, further = parser.parse_known_args(_joined(argv))
    runs = getattr(words, "run", None)
    # argparse takes no list of runs that stands behind an option.
    if any(word.startswith("-") for word in further) or (further and not isinstance(runs, list)):
        raise UsageError(f"unrecognized arguments: {' '.join(further)}", hint="naga --help")
    if further:
        words.run = [*words.run, *further]
    return words


def _joined(argv: Sequence[str]) -> list[str]:
    """Write ``--sort -KEY`` as one word: argparse takes what begins with a minus for an option."""
    words: list[str] = []
    for word in argv:
        if words and words[-1] == "--sort":
            words[-1] = f"--sort={word}"
        else:
            words.append(word)
    return words


def _folder(word: str) -> str:
    """Take the name of a folder; an empty one is a variable of the shell that is not set, not the current folder."""
    if not os.path.isdir(word):  # noqa: PTH112  # a name that is too long is none
        raise RunNotFoundError(f"no folder '{word}'", hint="naga ls <a folder>")
    return word


def _number(word: str) -> int:
    if not word.isdecimal():
        raise UsageError(f"--limit {word}: no number of runs", hint="--limit 20")
    return int(word)


def _path(word: str) -> str:
    if not word:
        raise UsageError("'' is no path", hint="naga hash PATH")
    return word


class _Parser(argparse.ArgumentParser):
    """A parser that refuses as the rest of Naga does."""

    def error(self, message: str) -> None:  # type: ignore[override]  # raising is one way not to return
        raise UsageError(message, hint=f"{self.prog} --help")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="naga", description="List and read the runs that Naga's tasks have left.")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    parser.add_argument("--version", action="version", version=f"naga {naga.__version__}")
    parser.set_defaults(command=lambda _: print(parser.format_help(), end="") or 0)
    for add in (_add_ls, _add_show, _add_verify, _add_diff, _add_diag, _add_hash, _add_mlflow_view, _add_doctor):
        add(commands)
    add_sweep_commands(commands)
    add_note_commands(commands)
    add_reproduce_commands(commands)
    add_tidy_commands(commands)
    return parser


def _add_ls(commands: Any) -> None:
    command = commands.add_parser("ls", help="list the runs below a folder")
    _add_root(command, help="default: the current folder")
    command.add_argument("--archived", action="store_true", help="also those that newer runs have moved aside")
    command.add_argument("--filter", default="", metavar="TERMS", help=_FILTER)
    columns = f"of {', '.join(COLUMNS)}, config.KEY, metrics.KEY; default: what differs, as far as there is room"
    command.add_argument("--columns", default="", metavar="KEY,...", help=columns)
    command.add_argument("--sort", default="started", metavar="[-]KEY", help="by one of them; -KEY: the largest first")
    command.add_argument("--limit", type=_number, metavar="N", help="only the first N")
    command.add_argument("--format", default="table", choices=FORMATS)
    command.set_defaults(command=ls)


def _add_show(commands: Any) -> None:
    command = commands.add_parser("show", help="show one run: what ran, with what, and how it ended")
    command.add_argument("run", metavar="RUN", help=_RUN)
    command.set_defaults(command=show)


def _add_verify(commands: Any) -> None:
    command = commands.add_parser("verify", help="report what has changed since the runs")
    command.add_argument("runs", nargs="+", metavar="RUN", help=_RUN)
    command.set_defaults(command=verify_runs)


def _add_diff(commands: Any) -> None:
    command = commands.add_parser("diff", help="print what differs between runs; exit code 1 where anything does")
    command.add_argument("runs", nargs="+", metavar="RUN", help=_RUN)
    command.add_argument("--only", metavar="PART,...",
                         help="of config, code, data, environment, outputs, metrics; default: all")  # fmt: skip
    command.add_argument("--patch", action="store_true", help="also the patch between the codes")
    command.add_argument("--format", default="table", choices=("table", "json"))
    command.set_defaults(command=_diff)


def _add_hash(commands: Any) -> None:
    command = commands.add_parser("hash", help="print the hash of files and folders, or check them against a list")
    command.add_argument("path", nargs="+", type=_path, metavar="PATH", help="with --check: lists; with --record: runs")
    what = command.add_mutually_exclusive_group()
    what.add_argument("--check", action="store_true", help="compare what is on the disk with lists of hashes")
    what.add_argument("--record", action="store_true", help="hash the outputs of runs that were too large at their end")
    command.set_defaults(command=hash_paths)


def _add_mlflow_view(commands: Any) -> None:
    command = commands.add_parser(
        "mlflow-view", help="print the address of the newest MLflow run of each run, and only those"
    )
    _add_root(command, help="a folder of the project; default: here")
    command.add_argument("--experiment", metavar="NAME", help="its name or id; default: that of MLFLOW_EXPERIMENT_NAME")
    command.set_defaults(command=mlflow_view)


def _add_doctor(commands: Any) -> None:
    command = commands.add_parser(
        "doctor", help="repair what crashed runs left behind; report what needs your decision"
    )
    _add_root(command, help="a folder of the project; default: here")
    command.set_defaults(command=doctor)


def _add_root(command: argparse.ArgumentParser, *, help: str) -> None:  # noqa: A002  # as argparse has it
    command.add_argument("root", nargs="?", type=_folder, default=".", metavar="ROOT", help=help)


def _diff(words: argparse.Namespace) -> int:
    from naga.cli.diff import diff_runs

    return diff_runs(words)


def _diag(words: argparse.Namespace) -> int:
    from naga.cli.diag import diag

    return diag(words)


def _rebuild(words: argparse.Namespace) -> int:
    from naga.cli.diag import rebuild_store

    return rebuild_store(words)


def _add_diag(commands: Any) -> None:
    command = commands.add_parser("diag", help="publish runs again with the diag of today, without computing")
    _add_runs(command, nargs="*")
    command.add_argument("--stale", action="store_true", help="only runs whose MLflow results are out of date")
    command.add_argument("--dry-run", action="store_true", help="publish nothing, and tell what would change")
    command.add_argument(
        "--check", action="store_true", help="publish nothing: which runs can today's diag read, and how"
    )
    command.add_argument("--strict", action="store_true", help="fail where a diag changes what a run left")
    command.add_argument("--code", default="current", choices=("current", "recorded"),
                         help="recorded: use the run's own code; only the script is today's")  # fmt: skip
    command.set_defaults(command=_diag)

    command = commands.add_parser("rebuild", help="make an MLflow store from runs alone")
    _add_runs(command, nargs="+")
    command.add_argument("--to", required=True, metavar="URI", help="the store, as in sqlite:///mlflow.db")
    command.set_defaults(command=_rebuild)


def _add_runs(command: argparse.ArgumentParser, *, nargs: str) -> None:
    command.add_argument("script", metavar="SCRIPT[:FUNC]", help="FUNC: where a script has several diags")
    command.add_argument("run", nargs=nargs, metavar="RUN", help=_RUNS)
    command.add_argument("--filter", default="", metavar="TERMS", help=_FILTER)
    command.add_argument("--jobs", type=int, default=1, metavar="N", help="processes that share the work; default: 1")
    command.add_argument(
        "--launcher", default="local", metavar="NAME", help="local (default), slurm, dask or module:factory"
    )
    command.add_argument("-l", dest="options", action="append", default=[], metavar="key=value",
                         help="an option of the launcher: -l partition=gpu")  # fmt: skip
