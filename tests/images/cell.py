"""Run a service as a container engine would: own root file system that cannot be written, own processes, own network address.

Root, util-linux and iproute2 are enough. What is checked inside is what the kernel says, not what a file promises.
"""

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.images.compose import Service

BRIDGE = "br0"
NETWORK = "10.77.0"
PATIENCE_SECONDS = 180.0
# $1 image, $2 place for the root, $3 address; then pairs of mounts up to `--`, then user, then the variables and the command.
SCRIPT = r"""
set -euo pipefail
image=$1 root=$2 address=$3; shift 3
hostname "${root##*/}"
mount --bind "$image" "$root"
mount -t proc proc "$root/proc"
mount -t tmpfs -o mode=0755 dev "$root/dev"
for device in null zero full random urandom; do : >"$root/dev/$device"; mount --bind "/dev/$device" "$root/dev/$device"; done
mkdir -m 1777 "$root/dev/shm"; ln -s /proc/self/fd "$root/dev/fd"
while [ "$1" != -- ]; do
    case $1 in
    tmpfs) mount -t tmpfs -o "$3" tmpfs "$root$2" ;;
    volume) mount --bind "$3" "$root$2" ;;
    file) mount --bind "$3" "$root$2"; mount -o remount,bind,ro "$root$2" ;;
    esac
    shift 3
done
shift
mount -o remount,bind,ro "$root"
until ip link show eth0 >/dev/null 2>&1; do sleep 0.02; done
ip link set lo up; ip address add "$address/24" dev eth0; ip link set eth0 up
user=$1; shift
exec chroot "$root" /usr/bin/setpriv --reuid="${user%:*}" --regid="${user#*:}" --clear-groups --no-new-privs \
    --bounding-set=-all --inh-caps=-all -- /usr/bin/env -i -C /data "$@"
"""


@dataclass(frozen=True, slots=True)
class World:
    """What all cells share: the image's files and variables, the names, the secrets, and a folder for everything else."""

    image: Path
    variables: Mapping[str, str]
    hosts: Path
    secrets: Path
    folder: Path


@dataclass
class Cell:
    """One running service. `instance` tells those of a scaled service apart."""

    world: World
    service: Service
    host: int
    instance: str = ""
    command: Sequence[str] = ()
    peak_bytes: int = 0  # resident, of all its processes together, at those moments when somebody looked
    _process: "subprocess.Popen[bytes] | None" = field(default=None, repr=False)

    @property
    def name(self) -> str:
        """The service, and which of several."""
        return f"{self.service.name}{self.instance}"

    @property
    def address(self) -> str:
        """On the network of all cells."""
        return f"{NETWORK}.{self.host}"

    @property
    def log(self) -> Path:
        """All that it wrote."""
        return self.world.folder / f"{self.name}.log"

    def start(self) -> "Cell":
        """Start it; nothing is waited for."""
        place = self.world.folder / "roots" / self.name
        place.mkdir(parents=True, exist_ok=True)
        isolate = ["unshare", "--mount", "--pid", "--net", "--ipc", "--uts", "--fork", "--kill-child"]
        mounts = [word for mount in self._mounts() for word in mount]
        pairs = [f"{name}={value}" for name, value in {**self.world.variables, **self.service.environment}.items()]
        words = [str(self.world.image), str(place), self.address, *mounts, "--", self.service.user, *pairs]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*isolate, "bash", "-c", SCRIPT, "cell", *words, *(self.command or self.service.command)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self._connect()
        self._entered()
        return self

    def wait(self, seconds: float = PATIENCE_SECONDS) -> int:
        """The exit code of a job."""
        assert self._process is not None
        return self._process.wait(seconds)

    def stop(self) -> int:
        """As `docker stop`: SIGTERM, and the exit code within the service's grace."""
        os.kill(self.main_process, signal.SIGTERM)
        try:
            return self.wait(self.service.grace_seconds)
        except subprocess.TimeoutExpired:
            os.kill(self.main_process, signal.SIGABRT)  # the image has PYTHONFAULTHANDLER: the log says where it stood
            self.wait()
            raise AssertionError(f"{self.name} did not stop:\n{self.tail()}") from None

    def end(self) -> None:
        """At once, if it still runs."""
        if self._process is not None and self._process.poll() is None:
            # Process 1, and with it the kernel ends all others of the cell. The death of unshare alone leaves them behind: who
            # changes his user is no longer told that his parent has died.
            with suppress(IndexError, OSError):
                os.kill(self.main_process, signal.SIGKILL)
            self._process.kill()
            self._process.wait()

    def inside(self, *command: str) -> "subprocess.CompletedProcess[str]":
        """Run a command in there, as the service's user: what `docker exec` does."""
        user, group = self.service.user.split(":")
        enter = ["nsenter", f"--target={self.main_process}", "--mount", "--pid", "--net", "--root", "--wd"]
        drop = ["/usr/bin/setpriv", f"--reuid={user}", f"--regid={group}", "--clear-groups", "--no-new-privs", "--"]
        pairs = [f"{name}={value}" for name, value in {**self.world.variables, **self.service.environment}.items()]
        words = [*enter, *drop, "/usr/bin/env", "-i", *pairs, *command]
        return subprocess.run(words, capture_output=True, text=True, check=False, timeout=PATIENCE_SECONDS)

    def healthy(self) -> bool:
        """Whether its own health check says so. Fails when it has ended."""
        assert self._process is not None
        assert self._process.poll() is None, f"{self.name} ended:\n{self.tail()}"
        found = self.inside(*self.service.health)
        assert found.returncode in {0, 1}, found  # anything else says that the check itself is broken
        return found.returncode == 0

    def until_healthy(self) -> None:
        """Wait for it. The engine would ask every few seconds, too."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not self.healthy():
            assert time.monotonic() < deadline, f"{self.name} is not healthy:\n{self.tail()}"
            time.sleep(0.5)

    @property
    def main_process(self) -> int:
        """Process 1 of the cell, as the machine numbers it."""
        assert self._process is not None
        pid = self._process.pid
        return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])

    def told_by_the_kernel(self) -> dict[str, str]:
        """/proc/1/status of the cell; nothing known as long as, or as soon as, there is none."""
        try:
            lines = self._main_status()
        except (IndexError, OSError):
            return {"Uid": "-"}
        return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}

    def _main_status(self) -> list[str]:
        return Path(f"/proc/{self.main_process}/status").read_text().splitlines()

    def note_memory(self) -> None:
        """Look how much it has now."""
        with suppress(OSError, IndexError):
            self.peak_bytes = max(self.peak_bytes, sum(map(_resident_bytes, self._processes())))

    def _processes(self) -> list[int]:
        found = [self.main_process]
        for pid in found:
            for task in Path(f"/proc/{pid}/task").iterdir():
                found += [int(child) for child in (task / "children").read_text().split() if int(child) not in found]
        return found

    def tail(self) -> str:
        """The end of its log."""
        return self.log.read_text(errors="replace")[-3000:]

    def _mounts(self) -> list[tuple[str, str, str]]:
        """Kind, place inside, and options or source."""
        found = [("file", "/etc/hosts", str(self.world.hosts)), ("file", "/run/secrets", str(self._secrets()))]
        for place in self.service.tmpfs:
            path, _, options = place.partition(":")
            found.append(("tmpfs", path, options or "mode=1777"))
        for path, source in self.service.volumes.items():
            volume = self.world.folder / "volumes" / source
            if not volume.exists():  # as an engine does: with the owner that the image gives the folder
                volume.mkdir(parents=True)
                like = (self.world.image / path.lstrip("/")).stat()
                os.chown(volume, like.st_uid, like.st_gid)
            found.append(("volume", path, str(volume)))
        return found

    def _secrets(self) -> Path:
        """A folder with this service's secrets alone."""
        folder = self.world.folder / f"{self.name}.secrets"
        folder.mkdir(exist_ok=True)
        for target, source in self.service.secrets.items():
            given = self.world.secrets / source
            (folder / target).write_bytes(given.read_bytes())
            (folder / target).chmod(given.stat().st_mode & 0o777)  # with the owner, root, that a bind mount shows
        return folder

    def _entered(self) -> None:
        """Wait until the service's own command runs, as its user."""
        assert self._process is not None
        user = self.service.user.partition(":")[0]
        deadline = time.monotonic() + PATIENCE_SECONDS
        while self._process.poll() is None and self.told_by_the_kernel()["Uid"].split()[0] != user:
            assert time.monotonic() < deadline, self.tail()
            time.sleep(0.02)

    def _connect(self) -> None:
        """Plug it into the bridge as soon as it has a network of its own."""
        assert self._process is not None
        own = Path("/proc/self/ns/net").readlink()
        its = Path(f"/proc/{self._process.pid}/ns/net")
        deadline = time.monotonic() + 10.0
        while its.readlink() == own:
            assert time.monotonic() < deadline, self.tail()
            time.sleep(0.005)
        with suppress(subprocess.CalledProcessError):
            ip("link", "delete", f"v{self.host}")
        ip("link", "add", f"v{self.host}", "type", "veth", "peer", "name", "eth0", "netns", str(self._process.pid))
        ip("link", "set", f"v{self.host}", "master", BRIDGE, "up")


def _resident_bytes(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS")), 0)


def ip(*words: str) -> None:
    """Change this network."""
    subprocess.run(["ip", *words], check=True, capture_output=True)
