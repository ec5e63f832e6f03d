"""What a run prints is on the terminal and in ``console.log``, whatever happens to the run."""

import os
import pty
import select
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from workbench import Script

Printing = Callable[..., "subprocess.CompletedProcess[str]"]

TASK = """
import faulthandler, logging, os, signal, subprocess, sys, threading, time
import naga
@naga.runlock{options}
def main(cfg={{'save_dir': 'results/run'}}):
{body}
if __name__ == '__main__':
    main()
    print('after')
"""
LOG = Path("results/run/console.log")


def write_script(body: str, options: str = "") -> None:
    """Write a script whose task has the given body."""
    Path("printing.py").write_text(TASK.format(options=options, body=textwrap.indent(textwrap.dedent(body), "    ")))


@pytest.fixture
def printing(project: Path, script: Any) -> Printing:
    """Run a task with the given body in a process of its own."""

    def run(body: str, options: str = "", **environment: str) -> "subprocess.CompletedProcess[str]":
        write_script(body, options)
        done: subprocess.CompletedProcess[str] = script("printing.py", check=False, **environment)
        return done

    return run


def log() -> str:
    """The log, without what only ended up in it later."""
    return LOG.read_text()


def test_everything_is_passed_on_and_kept(printing: Printing) -> None:
    """print, logging, children, raw writes and threads; stdout and stderr stay apart; `after` is not the run's."""
    done = printing(
        """
        print('printed')
        logging.basicConfig(); logging.warning('logged')
        subprocess.run(['sh', '-c', 'echo child; echo child-error >&2'])
        os.write(1, b'raw\\n')
        thread = threading.Thread(target=print, args=['thread']); thread.start(); thread.join()
        sys.stdout.write('no newline')
        """
    )
    assert done.returncode == 0
    for word in ("printed", "child", "raw", "thread", "no newline"):
        assert word in done.stdout
        assert word in log()
    for word in ("WARNING:root:logged", "child-error"):
        assert word in done.stderr
        assert word in log()
    assert done.stdout.endswith("no newlineafter\n")
    assert "after" not in log()
    assert "console.log" not in Path("results/run/.naga/outputs.json").read_text()


@pytest.mark.parametrize("ending", ["os._exit(3)", "os.kill(os.getpid(), signal.SIGKILL)", "faulthandler._sigsegv()"])
def test_no_output_is_lost_when_the_process_is(printing: Printing, ending: str) -> None:
    """All of what was written before a sudden end arrives."""
    body = f"faulthandler.enable()\nfor n in range(20000): os.write(1, b'line %d\\n' % n)\n{ending}"
    done = printing(body)
    assert done.returncode != 0
    assert done.stdout.splitlines() == [f"line {n}" for n in range(20_000)]
    for _ in range(100):
        if "line 19999\n" in log():
            break
        time.sleep(0.05)
    assert [line for line in log().splitlines() if line.startswith("line ")] == done.stdout.splitlines()
    assert ("Segmentation fault" in done.stderr) == ("Segmentation fault" in log()) == ("_sigsegv" in ending)


def test_a_child_that_outlives_the_run_does_not_hold_it(project: Path) -> None:
    """It keeps the streams open, and goes on printing."""
    write_script("subprocess.Popen(['sh', '-c', 'sleep 3; echo late'])\nprint('early')")
    began = time.monotonic()
    with subprocess.Popen([sys.executable, "printing.py"], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.wait(timeout=60)
        took = time.monotonic() - began
        assert process.stdout.read() == "early\nafter\nlate\n"
    assert took < 2.9
    assert "late" in log()


def test_a_forked_child_does_not_end_the_log(printing: Printing) -> None:
    """The parent's output after its child's end is kept."""
    done = printing("pid = os.fork()\nif not pid: os._exit(0)\nos.waitpid(pid, 0)\nprint('parent')")
    assert done.stdout == "parent\nafter\n"
    assert log() == "parent\n"


def test_who_waits_for_all_children_is_not_kept_waiting(printing: Printing) -> None:
    """The process that keeps the log is nobody's child."""
    done = printing("try:\n    os.wait()\nexcept ChildProcessError:\n    print('none')")
    assert done.stdout == "none\nafter\n"


@pytest.mark.parametrize(("options", "environment"), [("(console=False)", {}), ("", {"NAGA_CONSOLE": "off"})])
def test_it_can_be_switched_off(printing: Printing, options: str, environment: dict[str, str]) -> None:
    """By the author of a task and by who starts it."""
    assert printing("print('x')", options, **environment).stdout == "x\nafter\n"
    assert not LOG.exists()


def test_attempts_are_appended_and_secrets_left_out(printing: Printing) -> None:
    """What is in the folder stays; the terminal shows what was printed."""
    printing("print('first'); raise ValueError")
    done = printing("print('the token is', os.environ['MY_TOKEN'])", MY_TOKEN="canary-4711-canary")
    assert "canary-4711-canary" in done.stdout
    assert log() == "first\nthe token is <redacted>\n"


def test_closed_and_missing_streams(project: Path) -> None:
    """A run without stdout, and one whose reader has gone, are finished all the same."""
    write_script("for n in range(20000): print('error', n, file=sys.stderr)")
    for redirection in ("2>&1 >&-", ">&- 2>&-", "2>&1 | head -1"):
        done = subprocess.run(
            ["sh", "-c", f"'{sys.executable}' printing.py {redirection}"], check=False, timeout=60, capture_output=True
        )
        assert not done.stderr, done.stderr[-500:]
        assert "status: finished" in Path("results/run/run.lock").read_text()


def on_a_terminal(*words: str, typed: bytes = b"") -> tuple[bytes, int]:
    """Run a script on a pseudoterminal of 33 x 77 and give what it showed."""
    import termios

    child, master = pty.fork()
    if child == 0:
        os.execv(sys.executable, [sys.executable, *words])
    termios.tcsetwinsize(master, (33, 77))
    shown = b""
    sent, deadline = b"", time.monotonic() + 60
    while time.monotonic() < deadline:
        if not select.select([master], [], [], 1)[0]:
            if sent == b"\x03":  # Python misses a Ctrl-C between the prompt and the reading
                os.write(master, sent)
            continue
        try:
            data = os.read(master, 1 << 16)
        except OSError:
            break
        shown += data
        if typed and b"? " in shown:
            os.write(master, typed)
            sent, typed = typed, b""
    return shown, os.waitpid(child, 0)[1]


def test_a_terminal_stays_one(project: Path) -> None:
    """Its size, colours, progress bars and questions; the log keeps the last state of each line."""
    write_script(
        """
        time.sleep(0.5)
        print(sys.stdout.isatty(), sys.stderr.isatty(), tuple(os.get_terminal_size()))
        print('\\x1b[31mred\\x1b[0m')
        for n in range(101): sys.stderr.write(f'\\r{n}%'); sys.stderr.flush()
        print()
        for n in range(50): print(f'\\router {n}\\n\\rinner {n}\\x1b[A', end='', flush=True)
        print('\\n')
        print('hello', input('name? '))
        """
    )
    shown, status = on_a_terminal("printing.py", typed=b"Ana\n")
    assert status == 0, shown
    for text in (b"True True (77, 33)\r\n", b"\x1b[31mred\x1b[0m\r\n", b"\r50%\r51%", b"hello Ana\r\n", b"after\r\n"):
        assert text in shown
    assert log() == "True True (77, 33)\nred\n100%\nouter 49\ninner 49\nname? hello Ana\n"


def test_ctrl_c_reaches_the_run_alone(project: Path) -> None:
    """What it prints on its way out is shown and kept."""
    write_script("try:\n    input('ready? ')\nexcept KeyboardInterrupt:\n    print('interrupted')\n    raise")
    shown, _ = on_a_terminal("printing.py", typed=b"\x03")
    assert b"interrupted" in shown
    assert "interrupted" in log()
    assert "status: killed" in Path("results/run/run.lock").read_text()


def test_it_stands_aside_where_the_streams_are_not_its_own(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Here pytest has taken them."""
    import naga

    naga.runlock(lambda cfg={"save_dir": "results/run"}: print("to pytest"))()  # noqa: T201
    assert capsys.readouterr() == ("to pytest\n", "")
    assert not LOG.exists()


def test_no_log_is_written_through_a_link(project: Path, script: Script) -> None:
    """A folder may have been made by somebody else: what the link leads to stays as it is."""
    (project.parent / "private").write_text("mine")
    (project / "results/run").mkdir(parents=True)
    (project / "results/run/console.log").symlink_to(project.parent / "private")
    done = script("exp.py")
    assert "output is not being logged" in done.stderr
    assert (project.parent / "private").read_text() == "mine"


def test_secrets_of_every_kind_are_left_out(printing: Printing) -> None:
    """Short ones, those of addresses, those that the run sets or ends with; printed whole, in two writes, or quoted."""
    body = """
    os.environ['LATE_TOKEN'] = 'late-canary-01'
    print('it is', os.environ['LATE_TOKEN'], flush=True)
    cfg['api_key'] = 'hunt3r'
    print('and hunt3r', flush=True)
    cfg['url'] = 'https://ana:pw12@host'
    print(cfg, 'pw12', {'password': 'xyz'}, 'token=abcdef')
    for half in ('late-can', 'ary-01'): sys.stdout.write(half); sys.stdout.flush(); time.sleep(0.2)
    print('\\n' + 'x' * 300_000 + ' late-canary-01 ' + 'y' * 300_000)
    """
    done = printing(body)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("late-canary-01") == 3
    for secret in ("late-canary-01", "hunt3r", "pw12", "xyz", "abcdef"):
        assert secret not in log()
    assert log().startswith("it is <redacted>\nand <redacted>\n{")
    assert log().endswith("y" * 300_000 + "\n")


def test_a_secret_that_a_killed_run_set_is_left_out(printing: Printing) -> None:
    """It is known before it is printed."""
    printing("os.environ.update(MY_API_KEY='late-canary-02')\nprint('late-canary-02', flush=True)\nos._exit(3)")
    for _ in range(100):
        if log():
            break
        time.sleep(0.05)
    assert log() == "<redacted>\n"


@pytest.mark.parametrize("text", ["x", "line\n", "loss=1 acc: 2\n"])
def test_what_is_printed_costs_as_much_however_much_it_is(text: str, tmp_path: Path) -> None:
    """Four times as much takes at most eight times as long, with and without lines."""
    from naga.capture.console_tee import Log
    from naga.secrets import redact_text

    def seconds(megabytes: int) -> float:
        with (tmp_path / str(megabytes)).open("w+b") as file:
            written = Log(file.fileno(), lambda data: redact_text(data.decode()).encode())
            chunk = (text * (1 << 16))[: 1 << 16].encode()
            began = time.monotonic()
            for _ in range(16 * megabytes):
                written.feed(chunk)
            took = time.monotonic() - began
        assert (tmp_path / str(megabytes)).stat().st_size == megabytes << 20
        return took

    seconds(1)
    assert seconds(8) < 8 * max(seconds(2), 0.02)


def test_a_run_leaves_no_descriptor_open(printing: Printing) -> None:
    """Neither those of the log nor those of the other process."""
    write_script("pass")
    Path("twice.py").write_text(
        "import os, printing\nprinting.main()\nfirst = os.listdir('/proc/self/fd')\n"
        "for name in 'abc': printing.main(save_dir=f'results/{name}')\n"
        "print(len(os.listdir('/proc/self/fd')) - len(first))\n"
    )
    done = subprocess.run([sys.executable, "twice.py"], check=True, capture_output=True, text=True, timeout=60)
    assert done.stdout == "0\n"
