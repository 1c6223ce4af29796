"""The border in real processes: signals, closed pipes, stats of a run that was stopped."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

WAITING = """
import signal, sys
from musefs.index.command.run import Program, main
from musefs.pipeline.cli import plan_scan
from musefs.pipeline.flags import SCAN

def wait(plan):
    print("running", flush=True)
    while True:
        signal.pause()

sys.exit(main(Program(SCAN, plan_scan, wait), ["x"]))
"""
TALKING = """
import sys
from musefs.index.command.run import Program, main
from musefs.index.errors import ExitCode
from musefs.pipeline.cli import plan_scan
from musefs.pipeline.flags import SCAN

def talk(plan):
    for _ in range(100000):
        print("x" * 80)
    return ExitCode.OK

sys.exit(main(Program(SCAN, plan_scan, talk), ["x"]))
"""

FULL = Path("/dev/full")

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")


@pytest.mark.parametrize(
    ("number", "code", "said"),
    [(signal.SIGINT, 130, "Ctrl-C"), (signal.SIGTERM, 143, "SIGTERM")],
)
def test_signals_have_their_exit_codes(number: signal.Signals, code: int, said: str) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", WAITING],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "running\n"
        process.send_signal(number)
        _, told = process.communicate(timeout=20)
    assert process.returncode == code
    assert said in told
    assert "Traceback" not in told


def test_a_reader_that_goes_away_is_no_error() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", TALKING], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        os.read(process.stdout.fileno(), 100)
        process.stdout.close()
        assert process.stderr is not None
        told = process.stderr.read()
        process.wait(timeout=20)
    assert process.returncode == 0
    assert told == b""


@pytest.mark.skipif(not FULL.exists(), reason="only Linux has a full device")
def test_a_full_disk_under_our_output_is_said_and_is_no_bug() -> None:
    with FULL.open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-c", TALKING], stdout=full, stderr=subprocess.PIPE, check=False
        )
    assert done.returncode == 6
    assert b"standard output cannot be written: No space left" in done.stderr
    assert b"Traceback" not in done.stderr
