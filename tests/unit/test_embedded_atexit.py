"""A process that ends must not take strangers with it."""

import subprocess
import sys
from pathlib import Path

import psutil
from mirakuru.base import ENV_UUID

ROOT = Path(__file__).parents[2]
ENDS = """
import os, sys
from pathlib import Path
from cli.embedded.part import Part
Part("any", ["true"], log=Path(os.devnull), ready=lambda: True)
print(os.getpid(), flush=True)
sys.stdin.readline()
"""


def test_the_end_of_a_stack_kills_no_process_whose_mark_holds_its_digits(tmp_path: Path) -> None:
    ending = subprocess.Popen([sys.executable, "-c", ENDS], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert ending.stdout is not None
    mark = f"1{ending.stdout.readline().strip()}6:of another stack"
    stranger = subprocess.Popen(["sleep", "60"], env={ENV_UUID: mark})
    try:
        ending.communicate("end\n")
        assert ending.returncode == 0
        assert psutil.Process(stranger.pid).status() != psutil.STATUS_ZOMBIE
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()
