"""All benchmarks in one run (`make bench`): the machine named, then a line a figure."""

from __future__ import annotations

import importlib.util
import os
import platform
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
ALONE = "--alone"
PARTS = (
    "bench_calendars",
    "bench_decide",
    "bench_routing",
    "bench_replay",
    "bench_timers",
    "bench_postgres",
    "bench_scores",
    "bench_llm",
    "bench_salesforce",
    "bench_sentiment",
    "bench_api",
)


def main() -> int:
    """Run every part, or those named on the command line, each in a process of its own: its memory is its own."""
    cores = len(os.sched_getaffinity(0))
    print(f"machine: {platform.machine()}, {cores} cores, {platform.system()}, Python {platform.python_version()}")
    code = 0
    for name in sys.argv[1:] or PARTS:
        if not (FOLDER / f"{name}.py").exists():
            sys.exit(f"no benchmark {name}: {', '.join(PARTS)}")
        sys.stdout.flush()
        code |= subprocess.run([sys.executable, __file__, ALONE, name], check=False).returncode
    return code


def run_here(name: str) -> None:
    """Run one part in this process."""
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    print(f"\n{(module.__doc__ or name).splitlines()[0]}")
    for label, value, unit in module.run():
        print(f"  {label:68} {value:16,.2f} {unit}", flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == [ALONE]:
        run_here(sys.argv[2])
    else:
        sys.exit(main())
