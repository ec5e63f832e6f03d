"""The first of two stages: reproduced."""

import json
from dataclasses import dataclass
from pathlib import Path

from naga import clicfg, runlock, snapshot


@dataclass
class Config:
    save_dir: str = "results/first_stage"
    seed: int = 1


@runlock
@snapshot
@clicfg
def main(cfg: Config) -> None:
    """Leave what the second stage reads."""
    result = [cfg.seed, cfg.seed + 1]
    Path(cfg.save_dir, "result.json").write_text(json.dumps(result))


if __name__ == "__main__":
    main()
