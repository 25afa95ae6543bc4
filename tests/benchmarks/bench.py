"""All benchmarks in one run (`make bench`): the machine named, then a line a figure."""

from __future__ import annotations

import importlib.util
import platform
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
PARTS = (
    "bench_calendars", "bench_decide", "bench_routing", "bench_replay", "bench_timers", "bench_postgres",
    "bench_scores",
    "bench_llm", "bench_api",
)  # fmt: skip


def main() -> None:
    """Run every part, or those named on the command line."""
    cores = len(__import__("os").sched_getaffinity(0))
    print(f"machine: {platform.machine()}, {cores} cores, {platform.system()}, Python {platform.python_version()}")
    for name in sys.argv[1:] or PARTS:
        spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
        if spec is None or spec.loader is None or not (FOLDER / f"{name}.py").exists():
            sys.exit(f"no benchmark {name}: {', '.join(PARTS)}")
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
        print(f"\n{(module.__doc__ or name).splitlines()[0]}")
        for label, value, unit in module.run():
            print(f"  {label:68} {value:16,.2f} {unit}", flush=True)


if __name__ == "__main__":
    main()
