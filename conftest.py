"""Runs every code block of README.md and of the pages in docs; CONTRIBUTING.md tells writers the rules."""

import doctest
import itertools
import os
import re
import subprocess
import sys
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import omegaconf
import pytest
import yaml
from sybil import Document, Example, Region, Sybil
from sybil.evaluators.doctest import DocTestEvaluator
from sybil.parsers.abstract.doctest import DocTestStringParser
from sybil.parsers.markdown import CodeBlockParser, SkipParser

LOOSE = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
FILE_NAME = re.compile(r"# ([\w./-]+\.\w+)\n")
COMMAND = re.compile(r"^\$ ((?:.*\\\n)*.*)\n((?:(?!\$ ).*\n)*)", re.MULTILINE)
EXIT_CODE = re.compile(r"^\(exit code (\d+)\)\n\Z", re.MULTILINE)


def enter_repository(namespace: dict[str, Any]) -> None:
    """Give a page a new git repository as its working directory, and no settings but these."""
    folder, patch = TemporaryDirectory(prefix="naga-docs-"), pytest.MonkeyPatch()
    namespace.update(page_folder=folder, page_patch=patch)
    patch.chdir(folder.name)
    for name in [name for name in os.environ if name.startswith(("GIT_", "MLFLOW_"))]:
        patch.delenv(name)
    patch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    patch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)
    patch.setenv("COLUMNS", "120")
    patch.setenv("NAGA_SNAPSHOT", "on")
    patch.setenv("PYTHONUNBUFFERED", "1")  # as on a terminal, where each line is seen at once
    for command in ("init -qb main", "config user.name Reader", "config user.email reader@example.org"):
        subprocess.run(["git", *command.split()], check=True)


def leave_repository(namespace: dict[str, Any]) -> None:
    """Remove the page's repository."""
    namespace["page_patch"].undo()
    namespace["page_folder"].cleanup()


def save(example: Example) -> str:
    """Save a block whose first line is ``# file.name`` under that name; give the name that its code goes by."""
    if not (match := FILE_NAME.match(example.parsed)):
        return Path(example.path).name
    path = Path(match[1])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(example.parsed, encoding="utf-8")
    return match[1]


def python(example: Example) -> None:
    """Run a block where the former ones of its page have run; its ``__name__`` is not ``__main__``."""
    lines = "\n" * (example.line + example.parsed.line_offset)  # so that a traceback tells the page's own lines
    exec(compile(lines + example.parsed, save(example), "exec", dont_inherit=True), example.namespace)  # noqa: S102


def yaml_file(example: Example) -> None:
    """Save a block; refuse one that is not YAML."""
    save(example)
    yaml.safe_load(example.parsed)


def toml_file(example: Example) -> None:
    """Save a block; refuse one that is not TOML."""
    save(example)
    tomllib.loads(example.parsed)


def sh(example: Example) -> str | None:
    """Run a block as a shell script, which ends at the first command that fails."""
    done = shell(f"set -e\n{example.parsed}")
    return f"exit code {done.returncode}:\n{done.stdout}" if done.returncode else None


def console(example: Example) -> str | None:
    """Run each line that begins with ``$``, and compare what it prints with what the page shows, as a doctest would."""
    commands = COMMAND.findall(example.parsed.rstrip("\n") + "\n")
    for command, shown in commands:
        done, code, wanted = shell(command), EXIT_CODE.search(shown), EXIT_CODE.sub("", shown)
        if done.returncode != int(code[1] if code else 0):
            return f"$ {command}\nexit code {done.returncode}:\n{done.stdout}"
        if wanted.strip() and not doctest.OutputChecker().check_output(wanted, done.stdout, LOOSE):
            return f"$ {command}\nThe page shows:\n{wanted}\nIt prints:\n{done.stdout}"
    return None if commands else "a console block needs a line that begins with '$ '"


def shell(script: str) -> "subprocess.CompletedProcess[str]":
    """Run a script as its reader would, who types nothing more and sees both streams as they are written."""
    return subprocess.run(
        ["sh", "-c", script],
        check=False,
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def pycon(document: Document) -> Iterator[Region]:
    """Find the examples in ``pycon`` blocks."""
    for block in CodeBlockParser("pycon", evaluator=lambda _: None)(document):
        for example in DocTestStringParser(DocTestEvaluator(LOOSE))(block.parsed, document.path):
            example.adjust(block, block.parsed)
            yield example


RUNS = {"python": python, "yaml": yaml_file, "toml": toml_file, "sh": sh, "console": console}
pytest_collect_file = Sybil(
    parsers=[SkipParser(), pycon, *(CodeBlockParser(language, run) for language, run in RUNS.items())],
    patterns=["README.md", "docs/*.md", "docs/*/*.md"],
    setup=enter_repository,
    teardown=leave_repository,
).pytest()


def pytest_report_header() -> str:
    """Say which of the two supported versions the tests run with."""
    return f"OmegaConf {omegaconf.__version__}"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests to repeat with the other version of OmegaConf."""
    configuration = tuple(Path(__file__).parent / folder for folder in ("tests/unit/config", "src/naga/config"))
    for item in items:
        if any(item.path.is_relative_to(folder) for folder in configuration):
            item.add_marker("compat")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the ten slowest files of tests: what becomes slow is to be seen by those who make it so."""
    seconds: defaultdict[str, float] = defaultdict(float)
    for report in itertools.chain.from_iterable(terminalreporter.stats.values()):
        if isinstance(report, pytest.TestReport):
            seconds[report.nodeid.partition("::")[0]] += report.duration
    if len(seconds) > 1:
        terminalreporter.section("ten slowest groups")
        for group, spent in sorted(seconds.items(), key=lambda pair: -pair[1])[:10]:
            terminalreporter.write_line(f"{spent:7.1f} s  {group}")
