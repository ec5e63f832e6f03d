"""NumPy with a seed, an array as a result: reproduced."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from naga import clicfg, runlock, snapshot


@dataclass
class Config:
    save_dir: str = "results/numpy_seed"
    seed: int = 0


@runlock
@snapshot
@clicfg
def main(cfg: Config) -> None:
    """Draw numbers."""
    numbers = np.random.default_rng(cfg.seed).normal(size=1000)
    result = float(numbers.mean())
    np.save(Path(cfg.save_dir, "numbers.npy"), numbers)
    Path(cfg.save_dir, "result.json").write_text(json.dumps(result))


if __name__ == "__main__":
    main()
