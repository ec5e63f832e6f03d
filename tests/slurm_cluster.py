"""A real Slurm of four nodes on this machine, for tests; root and Debian's packages are what it needs."""

import fcntl
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

FILE = Path("/etc/slurm/slurm.conf")  # where its parts look for it: jobs lose SLURM_CONF
ASIDE = FILE.with_name("slurm.conf.aside")
NEEDED = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "scontrol")
NODES = 4
CONFIGURATION = """
ClusterName=naga
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=5
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool.%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
Prolog={folder}/prolog
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdParameters=config_overrides
SwitchType=switch/none
MpiDefault=none
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
SchedulerParameters=sched_interval=1,bf_interval=1,batch_sched_delay=0
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
MaxArraySize=51
MinJobAge=60
KillWait=3
ReturnToService=2
SlurmdTimeout=10
"""


def why_not() -> str:
    """Say what is missing for a Slurm of one's own; empty for nothing."""
    missing = [name for name in NEEDED if shutil.which(name) is None]
    if missing:
        return f"not installed: {', '.join(missing)} (apt install slurmctld slurmd slurm-client munge)"
    return "" if os.geteuid() == 0 else "only root can start a Slurm"


class Cluster:
    """The daemons of a cluster, each in the foreground as a child of this process."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._daemons: dict[str, subprocess.Popen[bytes]] = {}

    def start(self) -> None:
        """Start everything, and wait until each node takes jobs."""
        (self.folder / "state").mkdir()
        key = self.folder / "munge.key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o400)
        prolog = self.folder / "prolog"
        prolog.write_text(f"#!/bin/sh\ntest ! -e {self.folder}/no-launch\n")
        prolog.chmod(0o755)
        names = {word: f"{self.folder}/munge.{word}" for word in ("socket", "log-file", "pid-file", "seed-file")}
        self._run("munged", "--foreground", "--force", f"--key-file={key}", *(f"--{w}={p}" for w, p in names.items()))
        wait_until(lambda: Path(names["socket"]).exists())
        self._run("slurmctld", "-D", "-i")
        for number in range(NODES):
            self.start_node(f"node{number}")
        wait_until(lambda: slurm("sinfo", "-h", "-o", "%T", "-p", "usual").split() == ["idle"])

    def configuration(self) -> str:
        """Give the text of slurm.conf."""
        ports = _free_ports(NODES + 1)
        host = socket.gethostname().partition(".")[0]
        nodes = [
            f"NodeName=node{number} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs=4"
            for number, port in enumerate(ports[1:])
        ]
        partitions = ["usual Nodes=ALL Default=YES PriorityTier=1", "urgent Nodes=ALL PriorityTier=10"]
        lines = [*nodes, *(f"PartitionName={text}" for text in partitions)]
        return CONFIGURATION.format(host=host, port=ports[0], folder=self.folder) + "\n".join(lines) + "\n"

    def start_node(self, name: str) -> None:
        """Start the slurmd of a node, again if need be."""
        self._run("slurmd", "-D", "-N", name, key=name)

    def kill_node(self, name: str) -> None:
        """SIGKILL the slurmd of a node; the job steps on it go on."""
        self._end(name, signal.SIGKILL)

    @contextmanager
    def no_launch(self) -> Iterator[None]:
        """Let no node start a job, as where its disk is full; Slurm takes such nodes from service."""
        self.folder.joinpath("no-launch").touch()
        try:
            yield
        finally:
            self.folder.joinpath("no-launch").unlink()
            for number in range(NODES):  # refused for those that have not tried
                slurm("scontrol", "update", f"NodeName=node{number}", "State=RESUME", check=False)
            wait_until(lambda: "dr" not in slurm("sinfo", "-h", "-o", "%T"))

    def stop_controller(self) -> None:
        """Let nothing answer any more; its state is saved, else it would kill jobs that it has forgotten."""
        self._end("slurmctld", signal.SIGTERM)

    def start_controller(self) -> None:
        """Start it again, with the state that it saved; wait until it has heard of its nodes, and takes jobs."""
        self._run("slurmctld", "-D")
        takes_jobs = ("sbatch", "--test-only", f"-N{NODES}", "--wrap", "true")
        wait_until(lambda: subprocess.run(takes_jobs, check=False, capture_output=True).returncode == 0)

    def cancel_all(self) -> None:
        """Leave no job behind."""
        slurm("scancel", "--user=root", check=False)
        # What is completing is no job any more; on a node whose slurmd was killed it takes minutes.
        wait_until(lambda: slurm("squeue", "-h", "-t", "pending,running,suspended", check=False) == "")

    def stop(self) -> None:
        """End the daemons, and what they have started."""
        if "slurmctld" in self._daemons:
            self.cancel_all()
        for name in reversed(list(self._daemons)):
            self._end(name, signal.SIGTERM)
        for pid in _started_by(self.folder):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not _started_by(self.folder))

    def _run(self, *words: str, key: str = "") -> None:
        with (self.folder / f"{key or words[0]}.out").open("ab") as out:
            self._daemons[key or words[0]] = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=out, stderr=out)

    def _end(self, name: str, number: signal.Signals) -> None:
        daemon = self._daemons.pop(name)
        daemon.send_signal(number)
        try:
            daemon.wait(10)
        except subprocess.TimeoutExpired:
            daemon.kill()
            daemon.wait()


def slurm(*words: str, check: bool = True) -> str:
    """Run one of Slurm's commands, and give what it prints."""
    return subprocess.run(words, check=check, capture_output=True, text=True, timeout=60).stdout


def as_slurm_says() -> str:
    """Give what Slurm says of its jobs and nodes, for a test that fails."""
    return slurm("squeue", "-r", "-t", "all", check=False) + slurm("sinfo", "-N", "-o", "%N %T %E", check=False)


def wait_until(is_so: Callable[[], object], seconds: float = 30) -> None:
    """Wait until something is so."""
    until = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < until, f"it has not become so in time\n{as_slurm_says()}"
        time.sleep(0.05)


@contextmanager
def cluster(folder: Path) -> Iterator[Cluster]:
    """Give a cluster; afterwards nothing of it is left, and a former slurm.conf is back."""
    with Path("/tmp/naga-slurm.lock").open("w") as lock:  # there is one /etc for all who test here
        fcntl.flock(lock, fcntl.LOCK_EX)
        FILE.parent.mkdir(exist_ok=True)
        if FILE.exists() and not ASIDE.exists():  # else it is of a test that was killed
            FILE.rename(ASIDE)
        made = Cluster(folder)
        try:
            FILE.write_text(made.configuration())
            made.start()
            yield made
        finally:
            made.stop()
            FILE.unlink(missing_ok=True)
            if ASIDE.exists():
                ASIDE.rename(FILE)


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def _started_by(folder: Path) -> list[int]:
    """List what daemons have left: steps, whose spool folder is the cluster's, and what these have started."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            is_step = b"slurmstepd" in (place / "cmdline").read_bytes()
            files = [str(link.readlink()) for link in (place / "fd").iterdir()] if is_step else []
            is_of_job = b"SLURM_CLUSTER_NAME=naga\0" in (place / "environ").read_bytes()  # there is one at a time
            if is_of_job or any(file.startswith(str(folder)) for file in files):
                found.append(int(place.name))
    return found
