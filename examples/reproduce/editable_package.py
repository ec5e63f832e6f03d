"""A package that is installed by a link to its sources: reproduced with its code of then."""

import json
from dataclasses import dataclass
from pathlib import Path

import tinypkg

from naga import clicfg, runlock, snapshot


@dataclass
class Config:
    save_dir: str = "results/editable_package"


@runlock
@snapshot
@clicfg
def main(cfg: Config) -> None:
    """Use a package that one works on."""
    result = tinypkg.VALUE
    Path(cfg.save_dir, "result.json").write_text(json.dumps(result))


if __name__ == "__main__":
    main()
