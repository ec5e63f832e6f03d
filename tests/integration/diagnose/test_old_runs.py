"""What a diag of today is given of runs that are older than an edit of its configuration, on every way to call it."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from integration.diagnose.publications import Store, copy_store
from workbench import check_table

HEAD = """
import json, sys
from dataclasses import dataclass, field
from pathlib import Path
import pydantic
from omegaconf import DictConfig, OmegaConf
from naga import clicfg, find_runs, load_run, runlock
from naga.mlflow_log import mlflow_log_run
"""
TAIL = """
@clicfg{clicfg}
@runlock
def main({parameter}):
    return cfg

@mlflow_log_run
def diag(cfg):
    plain = cfg if isinstance(cfg, dict) else OmegaConf.to_container(cfg) if isinstance(cfg, DictConfig) else vars(cfg)
    given = {{key: plain[key] for key in sorted(plain) if key != "save_dir"}}
    with open("given.jsonl", "a") as file:
        file.write(json.dumps([type(cfg).__name__, given, [type(given[key]).__name__ for key in given]]) + chr(10))

if __name__ == "__main__":
    if sys.argv[1:] == ["all"]:
        diag(main.cli(["--reuse", "results/a"]))
        diag("results/a")
        diag(load_run("results/a"))
        [diag(run) for run in find_runs("results")]
    else:
        diag(main())
"""
# The configuration as the runs were made with it, and after an edit: names, types and defaults by kind.
CLASS = {
    "dataclass": "@dataclass\nclass Config:\n{fields}    save_dir: str = 'results/a'\n",
    "pydantic": "class Config(pydantic.BaseModel):\n{fields}    save_dir: str = 'results/a'\n",
}
EDITS = {
    "nothing": ("    lr: float = 0.1\n", "", {"lr": 0.5}),
    "a field is added": ("    lr: float = 0.1\n    dropout: float = 0.2\n", "", {"lr": 0.5, "dropout": 0.2}),
    "a field is added, with its former value": (
        "    lr: float = 0.1\n    dropout: float = 0.2\n", "(before={'dropout': 0.0})", {"lr": 0.5, "dropout": 0.0},
    ),
    "a field is renamed": ("    rate: float = 0.1\n", "(was={'rate': 'lr'})", {"rate": 0.5}),
    "a type changes": (
        "    lr: str = '1'\n", "(upgrade=lambda cfg, run: {**cfg, 'lr': f\"x{cfg['lr']}\"})", {"lr": "x0.5"},
    ),
}  # fmt: skip
LAST = list(EDITS)[-1]
WAYS = (
    "`diag(main())` with `--reuse`",
    "`diag(path)`",
    "`diag(load_run(path))`",
    "`for run in find_runs(root): diag(run)`",
)
KINDS = {
    "dataclass": ("dataclass", "cfg: Config", "Config"),
    "dataclass instance": ("dataclass", "cfg=Config()", "Config"),
    "structured DictConfig": ("dataclass", "cfg=OmegaConf.structured(Config)", "DictConfig"),
    "pydantic": ("pydantic", "cfg: Config", "Config"),
    "dict": ("dataclass", "cfg=dict(vars(Config()))", "dict"),
}


def _write(kind: str, fields: str, clicfg: str = "") -> None:
    form, parameter, _ = KINDS[kind]
    Path("exp.py").write_text(
        HEAD + CLASS[form].format(fields=fields) + TAIL.format(clicfg=clicfg, parameter=parameter)
    )


def _run(*words: str) -> str:
    done = subprocess.run([sys.executable, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def _naga(*words: str) -> "subprocess.CompletedProcess[str]":
    command = [str(Path(sys.executable).with_name("naga")), *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("kind", KINDS)
def test_every_way_gives_the_same(kind: str, project: Path, migrated: Path) -> None:
    """`diag(main())`, `--reuse`, `naga diag`, a path, a run: the kind that the task declares, and the same values."""
    copy_store(migrated, project)
    _write(kind, EDITS["nothing"][0])
    _run("exp.py", "lr=0.5")
    lock = Path("results/a/run.lock").read_bytes()
    day_one = json.loads(Path("given.jsonl").read_text())
    seen = []
    assert day_one[:2] == [KINDS[kind][2], {"lr": 0.5}]
    for edit, (fields, clicfg, wanted) in EDITS.items():
        Path("given.jsonl").unlink()
        _write(kind, fields, clicfg)
        _run("exp.py", "all")
        if edit == LAST:  # a process of its own: once for each kind is enough
            assert _naga("diag", "exp.py", "results/**").returncode == 0
        given = [json.loads(line) for line in Path("given.jsonl").read_text().splitlines()]
        assert len(given) == len(WAYS) + (edit == LAST)
        assert all(one[:2] == [KINDS[kind][2], wanted] for one in given), (edit, given)
        assert len({json.dumps(one) for one in given}) == 1, edit
        seen.append(_cell(given[0]))
    assert Path("results/a/run.lock").read_bytes() == lock
    check_table("edits", lambda rows: [["declared as", *EDITS], *_by_kind(rows | {kind: seen})])


def _cell(given: list[Any]) -> str:
    kind, values, _ = given
    return f"`{kind}` with " + ", ".join(f"`{key}={value!r}`" for key, value in values.items())


def _by_kind(rows: dict[str, list[str]]) -> list[list[str]]:
    return [[kind, *rows[kind]] for kind in KINDS if kind in rows]


def test_what_was_filled_is_marked(project: Path, migrated: Path) -> None:
    """The parameters are those that were recorded; a tag names what the diag was given besides, and why."""
    own_store = Store(copy_store(migrated, project))
    _write("dataclass", EDITS["nothing"][0])
    _run("exp.py", "lr=0.5")
    _write("dataclass", EDITS["a field is added"][0])
    assert "naga: 1 run older than dropout: its default 0.2 is used" in _run("exp.py", "--reuse", "results/a")
    newest = max(own_store.runs(), key=lambda run: run.info.start_time)
    assert json.loads(newest.data.tags["naga.config_filled"]) == {"dropout": {"value": 0.2, "why": "default"}}
    assert set(newest.data.params) == {"lr", "save_dir"}


def test_check_counts_what_does_not_fit(project: Path) -> None:
    """One line for all runs of which the same does not fit, exit code 1, and nothing is published."""
    _write("dataclass", "    lr: str = '1'\n")
    Path("exp.py").write_text(Path("exp.py").read_text().replace("diag(main())", "main()"))
    for name in ("one", "two", "3"):
        _run("exp.py", f"lr={name}", f"save_dir=results/{name}")
    _write("dataclass", "    lr: float = 0.1\n")
    done = _naga("diag", "exp.py", "--check")
    assert done.returncode == 1
    assert "results/one and 1 other run" in done.stdout
    assert "not float" in done.stdout
    assert "1 readable, 2 failed" in done.stdout
    assert not Path("mlflow.db").exists()


def test_a_run_of_the_same_configuration_is_reused(project: Path) -> None:
    """With `before`, a run that is older than a field is the same as one that has the value; without it, it is not."""
    _write("dataclass", EDITS["nothing"][0])
    text = Path("exp.py").read_text().replace("diag(main())", "main()")
    Path("exp.py").write_text(text)
    _run("exp.py", "lr=0.5")
    added = text.replace("    lr: float = 0.1\n", "    lr: float = 0.1\n    dropout: float = field(default=0.0{})\n")
    Path("exp.py").write_text(added.replace("{}", ""))
    done = subprocess.run(
        [sys.executable, "exp.py", "lr=0.5", "--existing", "reuse"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "had another configuration (dropout)" in done.stderr
    Path("exp.py").write_text(added.replace("{}", ", metadata={'before': 0.0}"))
    assert "not computing" in _run("exp.py", "lr=0.5", "--existing", "reuse")
