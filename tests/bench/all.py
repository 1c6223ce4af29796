"""Run every benchmark of this folder, one after the other, each in a process of its own.

    python tests/bench/all.py [NAME …]

Each `bench_*.py` prints its table and writes JSON with `--json FILE`; this script collects the
files into `results/all.json`. One at a time, since they measure.
"""

import json
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
RESULTS = HERE / "results"


def main(names: list[str]) -> int:
    """Run the named benchmarks, or all; return how many failed."""
    RESULTS.mkdir(exist_ok=True)
    collected: dict[str, object] = {}
    failed = 0
    for script in sorted(HERE.glob("bench_*.py")):
        name = script.stem.removeprefix("bench_")
        if names and name not in names:
            continue
        sys.stdout.write(f"\n== {name}\n")
        sys.stdout.flush()
        target = RESULTS / f"{name}.json"
        done = subprocess.run([sys.executable, script, "--json", target], check=False)
        failed += done.returncode != 0
        if done.returncode == 0 and target.exists():
            collected[name] = json.loads(target.read_text(encoding="utf-8"))
    (RESULTS / "all.json").write_text(json.dumps(collected, indent=2), encoding="utf-8")
    sys.stdout.write(f"\n{RESULTS / 'all.json'}: {len(collected)} benchmarks, {failed} failed\n")
    return failed


if __name__ == "__main__":
    sys.exit(min(main(sys.argv[1:]), 1))
