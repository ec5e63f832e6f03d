"""An input that has changed since: not restored."""

import json
from dataclasses import dataclass
from pathlib import Path

from naga import clicfg, runlock, snapshot, track_data


@dataclass
class Config:
    save_dir: str = "results/changed_input"
    raw: str = "data/raw.csv"


@runlock
@snapshot
@track_data("raw")
@clicfg
def main(cfg: Config) -> None:
    """Read what will change."""
    result = Path(cfg.raw).read_text()
    Path(cfg.save_dir, "result.json").write_text(json.dumps(result))


if __name__ == "__main__":
    main()
