"""`/v1/score` end to end against the same model served the usual way: FastAPI `def`, pydantic, a sklearn pipeline."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent
ROOT = FOLDER.parents[1]
REQUESTS = 600
RATE, SECONDS = 200, 5
TICKS = os.sysconf("SC_CLK_TCK")


class Server:
    """A server process of `api_server.py`: its port, key, records to send, and the CPU it has used."""

    def __init__(self, kind: str, folder: str) -> None:
        self.kind = kind
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        command = [sys.executable, str(FOLDER / "api_server.py"), kind, folder]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment, cwd=ROOT)
        assert self._process.stdout is not None
        told = json.loads(self._process.stdout.readline())
        self.port, self.key, self.records = told["port"], told["key"], told["records"]

    def cpu(self) -> float:
        """Return seconds of CPU so far, of all its threads."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def close(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.wait()

    def asking(self) -> Callable[[list[dict[str, Any]]], float]:
        """Return a function that asks once over a connection kept open, and returns how many seconds it took."""
        line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self.key}"}

        def ask(records: list[dict[str, Any]]) -> float:
            body: Any = {"records": records, "scores": ["urgency"]} if self.kind == "ours" else records[0]
            start = time.perf_counter()
            line.request("POST", "/v1/score", json.dumps(body), headers)
            answer = line.getresponse()
            text = answer.read()
            taken = time.perf_counter() - start
            assert answer.status == 200, text
            return taken

        return ask


@contextmanager
def served(kind: str, folder: str) -> Iterator[Server]:
    """Give a server that is up, and end it."""
    server = Server(kind, folder)
    try:
        yield server
    finally:
        server.close()


def one_by_one(server: Server, times: int) -> float:
    """Return ms of CPU that the server takes for one request of one record."""
    ask = server.asking()
    for record in server.records[:50]:
        ask([record])
    before = server.cpu()
    for number in range(times):
        ask([server.records[number % len(server.records)]])
    return (server.cpu() - before) / times * 1000


def at_rate(server: Server) -> float:
    """Return the 99th percentile, in ms, of `RATE` requests a second, each from when it was due to its answer."""
    taken: list[float] = []
    lanes = 4
    start = time.perf_counter() + 0.2

    def send(lane: int) -> None:
        ask = server.asking()
        for number in range(lane, RATE * SECONDS, lanes):
            due = start + number / RATE
            time.sleep(max(0.0, due - time.perf_counter()))
            ask([server.records[number % len(server.records)]])
            taken.append(time.perf_counter() - due)

    threads = [threading.Thread(target=send, args=(lane,)) for lane in range(lanes)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(taken)[len(taken) * 99 // 100] * 1000


def run() -> Iterator[tuple[str, float, str]]:
    """Give each figure as (what, value, unit)."""
    with tempfile.TemporaryDirectory() as folder:
        with served("usual", folder) as usual:
            theirs = one_by_one(usual, REQUESTS // 3)
        with served("ours", folder) as server:
            ours = one_by_one(server, REQUESTS * 3)
            yield "one record the usual way, CPU of the server a request", theirs, "ms"
            yield "one record at /v1/score, CPU of the server a request", ours, "ms"
            yield "times less CPU (15 wanted)", theirs / ours, "x"
            ask, many = server.asking(), [server.records[number % len(server.records)] for number in range(1000)]
            yield "a batch of 1,000 records (0.3 wanted at most)", min(ask(many) for _ in range(3)), "s"
            yield "99 of 100 answered within, at 200 requests a second (20 at most)", at_rate(server), "ms"
