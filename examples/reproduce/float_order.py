"""A sum in an order that chance decides: differs, within a tolerance of 1e-9 it does not."""

import json
import random
from dataclasses import dataclass
from pathlib import Path

from naga import clicfg, runlock, snapshot


@dataclass
class Config:
    save_dir: str = "results/float_order"
    n: int = 2000


@runlock
@snapshot
@clicfg
def main(cfg: Config) -> None:
    """Add numbers in any order."""
    numbers = [1 / (i + 1) for i in range(cfg.n)]
    result = [sum(random.sample(numbers, cfg.n)) for _ in range(20)]
    Path(cfg.save_dir, "result.json").write_text(json.dumps(result))


if __name__ == "__main__":
    main()
