"""A model of scikit-learn: reproduced."""

import json
import pickle
from dataclasses import dataclass
from pathlib import Path

from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression

from naga import clicfg, runlock, snapshot


@dataclass
class Config:
    save_dir: str = "results/sklearn_model"
    seed: int = 0


@runlock
@snapshot
@clicfg
def main(cfg: Config) -> None:
    """Fit a classifier."""
    x, y = make_classification(random_state=cfg.seed)
    model = LogisticRegression().fit(x, y)
    result = model.coef_.tolist()
    Path(cfg.save_dir, "model.pkl").write_bytes(pickle.dumps(model))
    Path(cfg.save_dir, "result.json").write_text(json.dumps(result))


if __name__ == "__main__":
    main()
