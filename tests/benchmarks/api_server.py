"""A server for bench_api: `ours` is the application of `triage serve`, `usual` FastAPI with scikit-learn."""

from __future__ import annotations

import json
import socket
import sys
import threading
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from tests.support.tables import cases, saved

ROWS = 3000


class Record(BaseModel):
    """What the usual server takes."""

    Id: str
    CreatedDate: str
    Queue: str | None = None
    Seats: float | None = None
    Subject: str | None = None


class Answer(BaseModel):
    """What it gives."""

    id: str
    score: float


def fitted(folder: Path) -> tuple[Any, Path]:
    """Return the model fitted on made cases, and its folder below `models`."""
    from training.fit import fit
    from training.prepare import Request

    out = folder / "models" / "urgency" / "bench"
    data = saved(cases(ROWS), folder)
    request = Request(task="urgency", data=(data,), id="CaseId", target="y_late", time="CreatedDate", out=str(out))
    return fit(request), out


def records() -> list[dict[str, Any]]:
    """Return records as a CRM sends them."""
    frame = cases(200, seed=5)
    rows = []
    for row in frame.to_dict("records"):
        seats = None if row["Seats"] != row["Seats"] else row["Seats"]
        created = row["CreatedDate"].strftime("%Y-%m-%dT%H:%M:%SZ")
        rows.append({"Id": row["CaseId"], "CreatedDate": created, "Queue": row["Queue"], "Seats": seats,
                     "Subject": row["Subject"]})  # fmt: skip
    return rows


def usual(folder: Path) -> None:
    """Serve the fitted parts as most people do: pydantic in, a one-row DataFrame, `predict_proba`, pydantic out."""
    import numpy as np
    import pandas as pd
    import uvicorn
    from bench_scores import as_pipeline
    from fastapi import FastAPI

    model, _ = fitted(folder)
    pipeline, frame = as_pipeline(model)
    app = FastAPI()
    names = list(frame.columns)

    @app.post("/v1/score")
    def score(record: Record) -> Answer:
        values = {"Queue": (record.Queue or "").casefold(), "Seats": record.Seats, "Subject": record.Subject or ""}
        stamp = pd.Timestamp(record.CreatedDate)
        clock = {"opened.hour": str(stamp.hour), "opened.weekday": str(stamp.weekday())}
        hour = stamp.weekday() * 24 + stamp.hour + stamp.minute / 60
        within = float(stamp.weekday() < 5 and 8 <= stamp.hour < 18)
        more = {
            "opened.week_hour": hour,
            "opened.in_hours": within,
            "text.words": float(len(values["Subject"].split())),
        }
        known = {**values, **clock, **more, "text": values["Subject"]}
        row = pd.DataFrame([{name: known.get(name, np.nan) for name in names}], columns=names)
        return Answer(id=record.Id, score=float(pipeline.predict_proba(row)[0, 1]))

    config = uvicorn.Config(app, log_level="critical", access_log=False)
    server = uvicorn.Server(config)
    held = socket.create_server(("127.0.0.1", 0))
    print(json.dumps({"port": held.getsockname()[1], "key": "", "records": records()}), flush=True)
    server.run([held])


def ours(folder: Path) -> None:
    """Serve the same model with the application of `triage serve`."""
    from triage.api.app import Settings
    from triage.domain.instant import DAY
    from triage.engine import PureEngine
    from triage.keys import create_key
    from triage.publishing import publish
    from triage.scoring.catalogue import Catalogue
    from triage.serving import Server, open_api, warm
    from triage.store.database import SqlStore
    from triage.testing import SMALL_POLICY
    from triage.wiring import SystemClock, open_models

    if not (folder / "models").is_dir():
        fitted(folder)
    store, now = SqlStore(folder / "bench.db", "bench"), SystemClock().now()
    publish(store, PureEngine(), SMALL_POLICY, now, actor="bench")
    key = create_key(store, ("score",), now + DAY, now)[1]
    scorer = open_models(str(folder / "models"))
    shown = Catalogue(folder / "models", store, SystemClock().now, scorer.reopen)
    settings = Settings(rate=1e9, burst=1e9)
    app = open_api(store, lambda _: store, scorer=scorer, models=shown, settings=settings)
    server = Server(app, "127.0.0.1", 0)
    server.start()
    warm(scorer)
    print(json.dumps({"port": server.port, "key": key, "records": records()}), flush=True)
    server.wait(threading.Event())


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    {"ours": ours, "usual": usual}[sys.argv[1]](Path(sys.argv[2]))
