"""Pure Python: reproduced."""

import json
from dataclasses import dataclass
from pathlib import Path

from naga import clicfg, runlock, snapshot


@dataclass
class Config:
    save_dir: str = "results/pure_python"


@runlock
@snapshot
@clicfg
def main(cfg: Config) -> None:
    """Sum squares."""
    result = sum(i * i for i in range(100))
    Path(cfg.save_dir, "result.json").write_text(json.dumps(result))


if __name__ == "__main__":
    main()
