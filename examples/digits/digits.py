"""Learn to read handwritten digits, once; then look at the result as often as you like.

python examples/digits/prepare.py                            write data/digits.csv.gz
python examples/digits/digits.py                             train, save, diagnose
python examples/digits/digits.py epochs=80 hidden=[128,64]   the same with other values (--help lists them)
python examples/digits/digits.py --reuse results/digits/...  diagnose that run again; nothing is computed
"""

from dataclasses import dataclass, field
from pathlib import Path

import joblib
import mlflow
import pandas as pd
from matplotlib.figure import Figure
from omegaconf import OmegaConf
from rich.progress import track
from sklearn.metrics import ConfusionMatrixDisplay, accuracy_score, precision_recall_fscore_support
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

from naga import clicfg, runlock, snapshot, track_data
from naga.mlflow_log import mlflow_log_run

DIGITS = list(range(10))


@dataclass
class Config:
    """What a run can be told; the comments are what `--help` shows."""

    save_dir: str = "results/digits/${now:%y%m%d-%H%M%S}"  # where the run lives
    input_data: str = "data/digits.csv.gz"  # the digits, as prepare.py writes them
    hidden: list[int] = field(default_factory=lambda: [64])  # neurons of each hidden layer
    learning_rate: float = 0.001  # step size of the optimiser
    batch_size: int = 16  # digits per step
    epochs: int = 40  # passes over the training digits
    test_share: float = 0.25  # share of the digits kept for the test
    seed: int = 0  # of the split and of the first weights


@runlock
@snapshot
@track_data("input_data")
@clicfg
def main(cfg: Config = OmegaConf.structured(Config)) -> Config:
    """Train a neural network on handwritten digits, and let it read those that it has not seen."""
    digits = pd.read_csv(cfg.input_data)
    train, test = train_test_split(digits, test_size=cfg.test_share, random_state=cfg.seed, stratify=digits["target"])

    model = MLPClassifier(
        tuple(cfg.hidden), batch_size=cfg.batch_size, learning_rate_init=cfg.learning_rate, random_state=cfg.seed
    )
    for _ in track(range(cfg.epochs), description="Training"):
        model.partial_fit(pixels(train), train["target"], classes=DIGITS)

    certainty = model.predict_proba(pixels(test))
    predictions = pd.DataFrame(
        {"label": test["target"], "predicted": certainty.argmax(axis=1), "certainty": certainty.max(axis=1)}
    )
    save_dir = Path(cfg.save_dir)
    predictions.to_csv(save_dir / "predictions.csv", index_label="row")
    joblib.dump(model, save_dir / "model.joblib")
    return cfg


@mlflow_log_run
def diag(cfg: Config) -> None:
    """Publish how well a run reads, digit by digit, and show what it misread."""
    predictions = pd.read_csv(Path(cfg.save_dir) / "predictions.csv", index_col="row")
    accuracy = accuracy_score(predictions["label"], predictions["predicted"])
    mlflow.log_metric("accuracy", accuracy)
    mlflow.log_metrics(scores_by_digit(predictions))
    mlflow.log_figure(confusion_matrix(predictions), "confusion_matrix.png")

    mistakes = predictions[predictions["label"] != predictions["predicted"]]
    mlflow.log_figure(gallery(mistakes, pd.read_csv(cfg.input_data)), "mistakes.png")
    print(f"{accuracy:.1%} of {len(predictions)} digits read correctly, {len(mistakes)} misread")


def pixels(digits: pd.DataFrame) -> pd.DataFrame:
    """Give the 64 pixels of each digit, from 0 to 1."""
    return digits.drop(columns="target") / 16


def scores_by_digit(predictions: pd.DataFrame) -> dict[str, float]:
    """Compute precision, recall and F1 of each digit, named as MLflow groups them."""
    scores = precision_recall_fscore_support(
        predictions["label"], predictions["predicted"], labels=DIGITS, zero_division=0
    )
    names = ("precision", "recall", "f1")
    return {f"{name}/{digit}": values[digit] for name, values in zip(names, scores, strict=False) for digit in DIGITS}


def confusion_matrix(predictions: pd.DataFrame) -> Figure:
    """Draw which digit was read as which."""
    figure = Figure(figsize=(6, 6), layout="constrained")
    ConfusionMatrixDisplay.from_predictions(
        predictions["label"], predictions["predicted"], ax=figure.subplots(), cmap="Blues", colorbar=False
    )
    return figure


def gallery(mistakes: pd.DataFrame, digits: pd.DataFrame) -> Figure:
    """Draw the misread digits, those that the model was most certain of first."""
    worst = mistakes.sort_values("certainty", ascending=False).head(18)
    figure = Figure(figsize=(8, 4.8), layout="constrained")
    for axes, (row, mistake) in zip(figure.subplots(3, 6).flat, worst.iterrows(), strict=False):
        axes.imshow(digits.drop(columns="target").loc[row].to_numpy().reshape(8, 8), cmap="gray_r")
        axes.set_title(f"{mistake.label:.0f} read as {mistake.predicted:.0f}\n{mistake.certainty:.0%} certain", size=8)
    for axes in figure.axes:
        axes.set_axis_off()
    return figure


if __name__ == "__main__":
    diag(main())
