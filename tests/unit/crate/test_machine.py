"""What stands for paths, addresses, host and user in a record that is passed on."""

from dataclasses import replace

import pytest
from workbench import some_record

from naga.crate.machine import LEFT_OUT, Machine
from naga.record.schema import Code, Data, Environment, Gpu, Origin, Record


def record_of(**changes: object) -> Record:
    """A record of a machine with a user, a repository and an input behind an address."""
    record = some_record()
    process = replace(record.process, cwd="/home/ana/p/sub", host="bigbox", user="ana", argv=("python", "-u", "ana.py"))
    given = {
        "process": process,
        "code": (Code(name="p", path="/home/ana/p", remote="git@git.example.org:group/p.git"),),
        "data": {"raw": Data(path="https://data.example.org/raw.csv", kind="file")},
    }
    return replace(record, **{**given, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/home/ana/p/data/x.csv", "/naga/p/data/x.csv"),
        ("/home/ana/p/../q/x.csv", "/naga/home/q/x.csv"),
        ("/home/ana/p-other", "/naga/home/p-other"),
        ("/scratch/x y.csv", "/naga/elsewhere/2/x y.csv"),
        ("see /home/ana/p/a.txt, and /home/ana/b", "see /naga/p/a.txt, and /naga/home/b"),
        ("http://tracker.example.org:5000/x", LEFT_OUT),
        ("ana@example.org", LEFT_OUT),
        ("git@git.example.org:group/p.git", LEFT_OUT),
        ("https://data.example.org/raw.csv", "https://data.example.org/raw.csv"),
        ("precision/0", "precision/0"),
        ("results/a", "results/a"),
        ("resnet@v2", "resnet@v2"),
        ("1/2", "1/2"),
        ("~/x", "~/x"),
    ],
)
def test_texts(text: str, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Paths get other names, the same one for the same path; addresses go, but for those of inputs; all else stays."""
    monkeypatch.setenv("HOME", "/home/ana")
    machine = Machine(record_of())
    assert machine.text(text) == expected
    assert machine.text(text) == expected


def test_records(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of a whole record names the machine or its user, and keys that are changed are named."""
    monkeypatch.setenv("HOME", "/home/ana")
    environment = Environment(
        python="3.11", executable="/home/ana/bin/python", platform="Linux", gpus=(Gpu(name="A", uuid="GPU-123"),),
        origins={"mine": Origin(url="file:///home/ana/mine"), "its": Origin(url="git+ssh://git@example.org/its")},
    )  # fmt: skip
    config = {"save_dir": "/home/ana/p/results/a", "far": ["/scratch/x"], "raw": "https://data.example.org/raw.csv"}
    record = record_of(
        environment=environment, config=config, save_dir=config["save_dir"], warnings=("bigbox: ana was here",)
    )
    clean, changed = Machine(record).without()
    assert changed == ["far.0"]
    assert clean.config == {"save_dir": "/naga/p/results/a", "far": ["/naga/elsewhere/2/x"], "raw": config["raw"]}
    assert (clean.process.cwd, clean.process.argv, clean.save_dir) == (
        "/naga/p/sub", ("python", "-u", "ana.py"), "/naga/p/results/a",
    )  # fmt: skip
    text = repr(replace(clean, process=replace(clean.process, argv=())))
    assert not [
        word for word in ("/home/", "bigbox", "'ana", "ana ", "GPU-123", "git.example", "/scratch") if word in text
    ]
