"""The ``naga`` fixture of pytest: temporary folders for the runs of a test.

pytest loads this module in every project that has Naga installed, so that it imports nothing else of Naga.
"""

from pathlib import Path

import pytest

from naga.frozen import dataclass


@dataclass(frozen=True, slots=True)
class NagaPlaces:
    """Where the runs, the cache and the MLflow store of one test are: below its ``tmp_path``.

    Parameters
    ----------
    save_dir : str
        A folder for a run, not made yet: ``main(save_dir=naga.save_dir)``.
    root : Path
        What it is in; further runs may go beside it.
    cache_dir : Path
        The cache of hashes, as ``NAGA_CACHE_DIR`` says while the test runs.
    tracking_uri : str
        The MLflow store, as ``MLFLOW_TRACKING_URI`` says while the test runs.
    """

    save_dir: str
    root: Path
    cache_dir: Path
    tracking_uri: str


@pytest.fixture
def naga(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> NagaPlaces:
    """Give a test a temporary save_dir, cache and MLflow store of its own."""
    root = tmp_path / "naga"
    root.mkdir()
    places = NagaPlaces(str(root / "run"), root, root / "cache", f"sqlite:///{root / 'mlflow.db'}")
    monkeypatch.setenv("NAGA_CACHE_DIR", str(places.cache_dir))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", places.tracking_uri)
    return places
