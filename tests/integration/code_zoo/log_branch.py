"""States of a repository: the log branch."""

import os

from integration.code_zoo.zoo import Zoo, state


@state("log branch checked out")
def log_branch_checked_out(zoo: Zoo) -> None:
    zoo.git("checkout", "-qb", "run_logs")
    zoo.write("train.py")
    zoo.names += ["it is checked out in"]
    zoo.log_branch = False


@state("log branch checked out in another worktree")
def log_branch_checked_out_in_another_worktree(zoo: Zoo) -> None:
    zoo.git("worktree", "add", "-qb", "run_logs", "../linked")
    zoo.names += ["it is checked out in"]
    zoo.log_branch = False


@state("log branch checked out before its first commit")
def log_branch_checked_out_before_its_first_commit(zoo: Zoo) -> None:
    zoo.git("checkout", "-q", "--orphan", "run_logs")
    zoo.names += ["it is checked out, before its first commit"]
    zoo.log_branch = False


@state("log branch blocked by `run_logs/x`")
def log_branch_blocked_by_run_logs_x(zoo: Zoo) -> None:
    zoo.git("branch", "run_logs/x")
    zoo.write("train.py")
    zoo.names += ["'run_logs/x' exists"]
    zoo.log_branch = False


@state("log branch that stands for another")
def log_branch_that_stands_for_another(zoo: Zoo) -> None:
    zoo.git("symbolic-ref", "refs/heads/run_logs", "refs/heads/main")
    zoo.write("train.py")
    zoo.names += ["it is a symbolic ref to refs/heads/main"]
    zoo.log_branch = False


@state("stale lock on the log branch")
def stale_lock_on_the_log_branch(zoo: Zoo) -> None:
    lock = zoo.write(".git/refs/heads/run_logs.lock", "")
    os.utime(lock, (lock.stat().st_mtime - 60,) * 2)
    zoo.write("train.py")
    zoo.names += ["a killed process left a lock"]
    zoo.log_branch = False
