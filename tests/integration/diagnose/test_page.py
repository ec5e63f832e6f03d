"""MLflow's own page, in a real browser, on what Naga has published."""

import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mlflow
import pytest
from integration.diagnose.publications import MakeRun, Store, copy_store

from naga.cli import main
from naga.mlflow_log import mlflow_log_run
from naga.tracking.tags import Tag
from naga.tracking.ui import active_view, how_to_view

# Chromium would look for updates and the like, and wait for answers that a closed network never gives.
OFFLINE = [
    "disable-background-networking",
    "disable-component-update",
    "disable-sync",
    "disable-quic",
    "disable-dev-shm-usage",
    "no-first-run",
]


@mlflow_log_run
def diag(cfg: Any) -> None:
    """Log numbers and a figure, as diags do."""
    from matplotlib.figure import Figure

    mlflow.log_metrics({"accuracy": 0.9 + cfg.learning_rate / 10, "loss": cfg.learning_rate})
    figure = Figure()
    figure.subplots().plot([cfg.learning_rate / n for n in range(1, 20)])
    mlflow.log_figure(figure, "loss.png")


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Start Debian's Chromium without a window."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or driver is None:
        pytest.skip("Chromium and its driver are not installed")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    profile = tmp_path_factory.mktemp("profile")
    words = ["headless=new", "disable-gpu", "window-size=1300,1000", f"user-data-dir={profile}", *OFFLINE]
    for word in words + (["no-sandbox"] if os.geteuid() == 0 else []):  # Chromium refuses to run as root without
        options.add_argument(f"--{word}")
    running = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    yield running
    running.quit()


def wait_for(browser: Any, *texts: str) -> str:
    """Wait until the page shows all of these."""
    shown = ""
    for _ in range(120):
        shown = browser.find_element("tag name", "body").text
        if all(text in shown for text in texts):
            time.sleep(1)  # until it has stopped moving
            return str(browser.find_element("tag name", "body").text)
        time.sleep(0.5)
    raise AssertionError(f"{texts} in:\n{shown}")


def keep(browser: Any, name: str, folder: Path) -> None:
    """Take a picture without MLflow's assistant; NAGA_SCREENSHOTS names a folder to keep it in."""
    close_assistant(browser)
    browser.save_screenshot(str(Path(os.environ.get("NAGA_SCREENSHOTS", folder)) / f"{name}.png"))


def close_assistant(browser: Any) -> None:
    """Put MLflow's assistant away, which opens beside each page."""
    for button in browser.find_elements("css selector", "[aria-label='Close']"):
        button.click()


def choose_columns(browser: Any, *names: str) -> None:
    """Add these to the table, or take them away, as its menu does."""
    wait_for(browser, "Columns")
    close_assistant(browser)
    browser.find_element("xpath", "//button[contains(., 'Columns')]").click()
    search = browser.find_element("css selector", "[placeholder='Search columns']")
    for name in names:
        search.send_keys(name)
        time.sleep(0.5)
        boxes = browser.find_elements("css selector", "[data-testid=column-selector-tree] span[class*=tree-checkbox]")
        [box for box in boxes if "inner" not in box.get_attribute("class")][-1].click()
        search.send_keys(*["\b"] * len(name))
    search.send_keys("\ue00c")  # Escape


def test_page(
    sqlite_server: str, project: Path, make_run: MakeRun, browser: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The filtered table shows one row for each logical run; an old run's page leads to its successor by a click."""
    store = Store(sqlite_server)
    store.experiment_id = store.client.create_experiment("digits")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store.uri)
    monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", store.experiment_id)
    for name, rate, times, took in (("lr-0.01", 0.01, 3, 9.5), ("lr-0.1", 0.1, 2, 4210), ("multirun/0", 0.5, 1, 75.25)):
        config = {"save_dir": f"results/{name}", "learning_rate": rate, "epochs": 10, "input_data": "data/raw.csv"}
        started = f"2026-01-0{times}T09:30:00.000Z"
        folder = make_run(
            f"results/{name}", run_id=f"20260101T000000-{times:08}", config=config, started=started, duration_s=took
        )
        for _ in range(times):
            diag(folder)
    by_duration = f"&orderByKey=tags.%60{Tag.DURATION}%60&orderByAsc=true"
    browser.get(active_view(store.uri, store.experiment_id) + by_duration)
    choose_columns(browser, "Dataset", "Source", "Models", Tag.COMPUTED, Tag.DURATION, Tag.HOST, "accuracy")
    shown = wait_for(browser, "lr-0.01 #3", "lr-0.1 #2", "multirun/0 #1")
    assert "lr-0.01 #2" not in shown
    assert "lr-0.1 #1" not in shown
    positions = [shown.index(name) for name in ("lr-0.01 #3", "multirun/0 #1", "lr-0.1 #2")]
    assert positions == sorted(positions), "not in the order of how long they computed"
    keep(browser, "mlflow-active", project)
    _, second, third = store.runs(f"tags.`{Tag.LOGICAL_ID}` = 'results/lr-0.01'")
    browser.get(
        f"{store.uri}/#/experiments/{store.experiment_id}/runs/{second.info.run_id}?workflowType=machine_learning"
    )
    wait_for(browser, "lr-0.01 #2 (superseded)", "Superseded by")
    keep(browser, "mlflow-superseded", project)
    link = browser.find_element("link text", third.info.run_id[:8])
    link.click()
    browser.switch_to.window(browser.window_handles[-1])  # MLflow opens links of descriptions beside the page
    shown = wait_for(browser, "lr-0.01 #3", "Supersedes", "Model training")
    keep(browser, "mlflow-page", project)
    assert third.info.run_id in browser.current_url


def test_how_to_view(project: Path, migrated: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For a server the address is enough; for a local store there is a command to type first."""
    uri = copy_store(migrated, project)
    command, address = how_to_view(project)
    assert command == f"mlflow ui --backend-store-uri {uri}"
    assert address == active_view("http://127.0.0.1:5000", "0")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://me:secret@tracker.example/mlflow/")
    assert how_to_view(project, "7") == (active_view("https://tracker.example/mlflow", "7"),)


def test_the_experiment_of_the_newest(
    store: Store, project: Path, make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where none is named, the view is of the experiment that was published to last; the project may name one."""
    monkeypatch.delenv("MLFLOW_EXPERIMENT_ID")

    @mlflow_log_run(experiment="iris")
    def look(cfg: Any) -> None:
        """Log nothing."""

    look(make_run())
    iris = store.client.get_experiment_by_name("iris")
    assert iris is not None
    assert how_to_view(project)[1] == active_view("http://127.0.0.1:5000", iris.experiment_id)
    (project / "pyproject.toml").write_text(f'[tool.naga]\nexperiment = "{project}"\n')
    assert how_to_view(project)[1] == active_view("http://127.0.0.1:5000", store.experiment_id)


def test_command(
    store: Store, project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It finds an experiment by its id or its name, refuses one that is not there, and says what a page needs."""
    name = str(project)
    for words in ([], ["--experiment", name], ["--experiment", store.experiment_id]):
        assert main(["mlflow-view", *words]) == 0
        command, address = capsys.readouterr().out.splitlines()
        assert command == f"mlflow ui --backend-store-uri {store.uri}"
        assert address == active_view("http://127.0.0.1:5000", store.experiment_id)
    monkeypatch.setattr("naga.cli.runs.find_spec", lambda name: None)  # as mlflow-skinny brings no flask
    assert main(["mlflow-view"]) == 0
    assert "pip install mlflow" in capsys.readouterr().err
    assert main(["mlflow-view", "--experiment", "nowhere"]) == 2
    assert capsys.readouterr().err.startswith("naga: there is no experiment 'nowhere' in MLflow at 'sqlite:")
