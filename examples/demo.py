"""What `make demo` shows: the digits computed once, diagnosed twice, and where to look at them."""

import os
import shlex
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote, urlsplit
from urllib.request import url2pathname

from rich.console import Console
from rich.table import Table

from naga import Run, find_runs

ROOT = Path(__file__).resolve().parents[1]
BIN = Path(sys.executable).parent
DIGITS = "examples/digits/digits.py"
RUNS = "results/digits"

console = Console(highlight=False, soft_wrap=True)


def demo() -> None:
    """Tell the story from the beginning to the end."""
    os.chdir(ROOT)
    for name in [name for name in os.environ if name.startswith("MLFLOW_")]:
        del os.environ[name]  # the demo publishes to its own store, never to the reader's server

    title("Compute once", "the run leaves its results and a run.lock that says exactly what ran")
    if not Path("data/digits.csv.gz").exists():
        call("python", "examples/digits/prepare.py")
    call("python", DIGITS)
    run = max(find_runs(RUNS), key=lambda run: run.record.started)
    folder = str(run.save_dir.relative_to(ROOT))

    title("Diagnose again", "nothing is computed; in MLflow the new publication takes the place of the old one")
    call("python", DIGITS, "--reuse", folder)

    title("The runs", f"naga show {folder} tells one of them whole")
    call("naga", "ls", RUNS)

    title("The history of this run in MLflow", "one publication is active, those before it stay")
    active = show_history(run)

    title("Look at it")
    for figure in sorted(active.glob("*.png")):
        console.print(figure.relative_to(ROOT))
    console.print()
    console.print(command("mlflow", "server", "--backend-store-uri", "sqlite:///mlflow.db", "--port", "5000"))
    only_active = quote("tags.\"naga.run_status\" = 'active'")
    address = "http://127.0.0.1:5000/#/experiments/0/runs"
    console.print(f"{address}?workflowType=machine_learning&searchFilter={only_active}", style="underline")


def title(text: str, meaning: str = "") -> None:
    """Begin a part."""
    console.print(f"\n[bold]{text}[/bold]" + (f": {meaning}" if meaning else ""))


def command(program: str, *words: str) -> str:
    """Write a command as it can be typed in the clone."""
    path = BIN / program
    return shlex.join([str(path.relative_to(ROOT) if path.is_relative_to(ROOT) else path), *words])


def call(program: str, *words: str) -> None:
    """Show a command and run it; the demo ends where one fails."""
    console.print(f"$ {command(program, *words)}", style="cyan")
    done = subprocess.run([BIN / program, *words], check=False)
    if done.returncode:
        sys.exit(done.returncode)


def show_history(run: Run) -> Path:
    """Print a line for each time that a run was published, and give the folder with the figures of the active one."""
    from mlflow import MlflowClient  # noqa: PLC0415  # it takes seconds, and the story is to begin at once

    client = MlflowClient(f"sqlite:///{ROOT / 'mlflow.db'}")
    pages = client.search_runs(["0"], f"tags.`naga.run_id` = '{run.run_id}'", order_by=["start_time"])
    table = Table("generation", "status", "accuracy", "MLflow run", "superseded by", box=None, pad_edge=False)
    for page in pages:
        tags, successor = page.data.tags, page.data.tags.get("naga.superseded_by_run_id", "")
        row = (tags["naga.generation"], tags["naga.run_status"], f"{page.data.metrics['accuracy']:.1%}")
        table.add_row(*row, page.info.run_id[:8], successor[:8], style="" if successor else "green")
    console.print(table)
    active = next(page for page in pages if page.data.tags["naga.run_status"] == "active")
    return Path(url2pathname(urlsplit(active.info.artifact_uri).path))


if __name__ == "__main__":
    demo()
