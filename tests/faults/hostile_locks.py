"""The corpus of hostile run.locks: 2,000 files, made anew from one seed each time, so that it needs no room."""

import random
from collections.abc import Iterator

GOOD = """\
schema: naga.run/1
run_id: "20261123T101500-9f2c41aa"
status: finished
task: exp.main
save_dir: results/run
started: "2026-11-23T10:15:00.512Z"
ended: "2026-11-23T10:15:01.512Z"
duration_s: 1.0
config:
  save_dir: results/run
  lr: 0.1
  layers: [64, 32]
  note: plain
data:
  input_data:
    path: data/raw.csv
    kind: file
    hash: "blake3:00"
    size_bytes: 4
    files: 1
process:
  argv: [python, exp.py]
  cwd: /tmp
  host: nowhere
  pid: 4242
environment:
  python: "3.11.7"
  executable: /usr/bin/python
  platform: Linux
  packages:
    numpy: "2.4.0"
"""
VALUES = (
    "null", "[]", "{}", "-1", "1e999", ".nan", "9" * 5000, "!!python/object/apply:os.system ['touch hacked']", "*x",
    "!!python/name:os.system", "!!timestamp 2001-01-01", "!!binary '###'", "!!set {a}", "${oc.env:HOME}", "&x [*x]",
    '"${now:%Y}"', '"\\ud800"', '"\\0"', '"\\x1b[2J"', "0x1f", "1_0", "2024-02-30", "<<: {a: 1}", "? [a]", "'", '"',
    "@", "|2\n bad", "%YAML 9", "--- a", "...", "{a: {b: {c: [[[[]]]]}}}", "true", "../../../etc/passwd", "/dev/zero",
    '"__class__"', "\t", "\x00", "\u2028", "é" * 50, "[" * 2000, "{a: " * 2000, "- " * 3000, "!" * 100,
)  # fmt: skip


def corpus(count: int = 2000) -> Iterator[bytes]:
    """Give hostile files, always the same."""
    chance = random.Random(20261123)
    yield from _monsters()
    for number in range(count - len(_monsters())):
        yield (_flipped, _replaced, _rearranged, _spliced)[number % 4](chance)


def _monsters() -> tuple[bytes, ...]:
    bomb = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join([f'*{chr(97 + n)}'] * 9)}]\n" for n in range(9)
    )
    deep = GOOD + "config_end: " + "{a: " * 90 + "1" + "}" * 90 + "\n"
    return tuple(
        text.encode("utf-8", "surrogatepass")
        for text in (
            "", "\0", "\ufeff" + GOOD, GOOD * 2, GOOD + "---\n" + GOOD, bomb, GOOD + bomb, deep, "[" * 100_000,
            "{" * 100_000, "- " * 100_000, "? " * 50_000, "a" * 17 * 2**20,
            GOOD + "warnings: [" + "a, " * 600_000 + "]",
            GOOD + "".join(f"k{n}: 1\n" for n in range(50_000)), GOOD.replace("note: plain", "note: " + "x" * 2**20),
            GOOD.replace("lr: 0.1", "\n".join(f"  k{n}: {n}" for n in range(5_000)).lstrip()), "x" * 2**20 + ": 1",
            GOOD.replace("lr: 0.1", "save_dir: twice"), "!!python/object/new:os.system [touch hacked]",
        )
    )  # fmt: skip


def _flipped(chance: random.Random) -> bytes:
    content = bytearray(GOOD.encode())
    for _ in range(chance.choice((1, 1, 2, 5, 40))):
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    return bytes(content)


def _replaced(chance: random.Random) -> bytes:
    lines = GOOD.splitlines()
    for _ in range(chance.choice((1, 1, 3))):
        at = chance.randrange(len(lines))
        lines[at] = lines[at].split(":")[0] + ": " + chance.choice(VALUES)
    return "\n".join(lines).encode("utf-8", "surrogatepass")


def _rearranged(chance: random.Random) -> bytes:
    lines = GOOD.splitlines()
    for _ in range(chance.choice((1, 2, 8))):
        at, to = chance.randrange(len(lines)), chance.randrange(len(lines))
        change = chance.choice(("drop", "double", "move", "indent"))
        line = lines[at] if change == "double" else lines.pop(at)
        if change != "drop":
            lines.insert(to, "  " + line if change == "indent" else line)
    return "\n".join(lines).encode()


def _spliced(chance: random.Random) -> bytes:
    at = chance.randrange(len(GOOD))
    text = GOOD[:at] + chance.choice(VALUES) + GOOD[at + chance.choice((0, 1, 10, 10_000)) :]
    return text.encode("utf-8", "surrogatepass")
