"""
The figures of docs/scores.md: fits and judges on the shared tables by the commands that a user runs, beside the reach.

    python tests/benchmarks/score_figures.py ../shared/data            # the last fifth, reported once
    python tests/benchmarks/score_figures.py ../shared/data --slice validation   # to choose by
    python tests/benchmarks/score_figures.py ../shared/data --only xeducation,maven

Slices are cut in time order where a table has one, else by a hash of the id. Not a test: it takes minutes.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

import numpy as np
import pandas as pd

SLICES = {"validation": (0.64, 0.80), "last": (0.80, 1.0)}
_MONTHS = ("Feb", "Mar", "May", "June", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class Job(NamedTuple):
    """One line of the table: how to fit, how to judge, and the figures to reach."""

    name: str
    task: str
    target: str
    fit: tuple[str, ...]
    judge: tuple[tuple[str, tuple[str, ...]], ...]
    reach: dict[str, float]


def jobs() -> Iterator[Job]:
    """Give every line that is measured here."""
    opening = {"auc": 0.845, "average_precision": 0.62, "log_loss": 0.40, "ece": 0.026}
    plain = (("", ()),)
    case = ("--id", "CaseId", "--time", "CreatedDate")
    yield Job("servicenow", "urgency", "y_sla_breach", case, plain, opening)
    yield Job("servicenow-cut", "urgency", "y_sla_breach", (*case, "--cut", "CUT"), plain, opening)
    ages = tuple((f" at {age}", ("--history", "HISTORY", "--as-of", age)) for age in ("4h", "24h", "72h"))
    old = (*case, "--history", "HISTORY", "--as-of", "0h,4h,24h,72h")
    yield Job("servicenow-aged", "urgency", "y_sla_breach", old, ages, {"auc": 0.79, "auc 24h": 0.80, "auc 72h": 0.94})
    yield Job("mozilla-severe", "urgency", "y_severe", ("--id", "CaseId"), plain, {"auc": 0.915})
    high = ("--id", "CaseId", "--high-first")
    yield Job("mozilla-six", "urgency", "y_severity", high, plain, {"qwk": 0.66})
    lead = {"auc": 0.905, "average_precision": 0.855, "ece": 0.04, "lift10": 2.6}
    yield Job("xeducation", "lead-value", "y_converted", ("--id", "LeadId"), plain, lead)
    drifting = ("--id", "LeadId", "--time", "CreatedDate")
    yield Job("shoppers", "lead-value", "y_converted", drifting, plain, {})
    deal = ("--id", "OpportunityId", "--time", "CreatedDate", "--amount", "y_amount")
    yield Job("maven", "lead-value", "y_won", deal, plain, {"gini": 0.735, "mae": 1105})


def main() -> None:
    """Run the lines that were asked for, one after the other."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1] if __doc__ else "")
    parser.add_argument("shared", type=Path)
    parser.add_argument("--slice", choices=sorted(SLICES), default="last")
    parser.add_argument("--only", default="", help="Names, parted by commas.")
    asked = parser.parse_args()
    wanted = [name for name in asked.only.split(",") if name]
    for job in jobs():
        if wanted and job.name not in wanted:
            continue
        with tempfile.TemporaryDirectory() as folder:
            for line in measure(job, asked.shared, Path(folder), asked.slice):
                print(line, flush=True)


def measure(job: Job, shared: Path, folder: Path, which: str) -> Iterator[str]:
    """Give a line for each figure of *job*: fitted and judged by the command line in folders of its own."""
    table = rows_of(job.name, shared)
    start, end = (int(len(table) * share) for share in SLICES[which])
    early, late = table.iloc[:start].reset_index(drop=True), table.iloc[start:end].reset_index(drop=True)
    early.to_parquet(folder / "early.parquet")
    late.to_parquet(folder / "late.parquet")
    meant = {"HISTORY": str(shared / "servicenow_case_history.parquet")}
    if "CUT" in job.fit:
        meant["CUT"] = early["CreatedDate"].max().isoformat()
    fit = [meant.get(word, word) for word in job.fit]
    model = str(folder / "model")
    data = ["--data", str(folder / "early.parquet"), "--target", job.target]
    said, seconds = _run("fit", job.task, *data, *fit, "--out", model)
    rows = f"{len(early):,} + {len(late):,} rows"
    yield f"{job.name} ({which} slice, {rows}, {seconds:.0f} s CPU): {said.splitlines()[0]}"
    for title, more in job.judge:
        words = [meant.get(word, word) for word in more]
        told, _ = _run(
            "evaluate", model, "--data", str(folder / "late.parquet"), "--target", job.target, *words, "--json"
        )
        found = json.loads(told)
        figures = {name: row["value"] for name, row in found["metrics"].items() if row["value"] is not None}
        yield f"  {job.name}{title}: {found['rows']:,} rows, signal {found['signal']}: " + ", ".join(
            f"{name} {value:.4g}" + (f" (reach {job.reach[name]:g})" if name in job.reach and not title else "")
            for name, value in figures.items()
        )
    if job.name in ("shoppers", "xeducation"):
        plain = ", ".join(f"{name} {value:.4g}" for name, value in logistic(early, late, job))
        yield f"  {job.name}, a plain logistic model on the same rows: {plain}"


def rows_of(name: str, shared: Path) -> pd.DataFrame:
    """Return the rows of the line *name* in the order of time (or of a hash), with the columns that a user has."""
    kind = name.partition("-")[0]
    if kind == "servicenow":
        cases = pd.read_parquet(shared / "servicenow_case.parquet")
        label = pd.read_parquet(shared / "servicenow_case_label.parquet")
        told = ["CaseId", "y_sla_breach", *(["ResolvedDate__c", "ClosedDate"] if name == "servicenow-cut" else [])]
        return cases.merge(label[told], on="CaseId").sort_values(["CreatedDate", "CaseId"])
    if kind == "mozilla":
        frame = pd.read_parquet(shared / "mozilla_case.parquet")
        frame = frame[["CaseId", "Subject", "y_severe" if name == "mozilla-severe" else "y_severity"]]
        return frame.iloc[np.argsort([crc32(one.encode()) for one in frame["CaseId"]], kind="stable")]
    if kind == "xeducation":
        frame = pd.read_parquet(shared / "xeducation_lead.parquet").sort_values("LeadNumber")
        return frame[[column for column in frame.columns if not column.startswith("leak_")]]
    if kind == "shoppers":
        frame = pd.read_parquet(shared / "shoppers_lead.parquet").drop(columns=["PageValues"])
        month = frame["Month"].map({month: at for at, month in enumerate(_MONTHS)})
        frame = frame.assign(_at=month).sort_values(["_at", "LeadId"], kind="stable")
        days = pd.to_timedelta(frame.pop("_at") * 30, unit="D")
        return frame.drop(columns=["Month"]).assign(CreatedDate=pd.Timestamp("2018-02-01") + days)
    frame = pd.read_parquet(shared / "maven_opportunity.parquet").sort_values(["CreatedDate", "OpportunityId"])
    return frame[frame["IsClosed"]].drop(columns=["StageName", "CloseDate", "IsClosed"])


def logistic(early: pd.DataFrame, late: pd.DataFrame, job: Job) -> Iterator[tuple[str, float]]:
    """Give AUC and calibration error of what most people would fit: one-hot, scaled numbers, logistic regression."""
    from sklearn.compose import make_column_selector, make_column_transformer
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    from training.metrics import binary_metrics

    drop = [name for name in ("LeadId", "LeadNumber", "CreatedDate", job.target) if name in early.columns]
    words = make_column_selector(dtype_exclude="number")
    encode = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore", min_frequency=5), words),
        remainder=make_pipeline(SimpleImputer(), StandardScaler()),
        sparse_threshold=0,
    )
    model = make_pipeline(encode, LogisticRegression(max_iter=2000)).fit(early.drop(columns=drop), early[job.target])
    chance = model.predict_proba(late.drop(columns=drop))[:, 1]
    found = binary_metrics(late[job.target].to_numpy(), chance, (chance >= 0.5).astype(int))
    for name in ("auc", "average_precision", "log_loss", "ece"):
        yield name, float(found[name]["value"] or 0)


def _run(*words: str) -> tuple[str, float]:
    """Return what one command of training printed, and the seconds of CPU that it took."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([sys.executable, "-m", "training", *words], capture_output=True, text=True, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        sys.exit(f"{' '.join(words)}: {done.stderr[-2000:]}")
    return done.stdout, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def names() -> Sequence[str]:
    """Return the names of all lines."""
    return [job.name for job in jobs()]


if __name__ == "__main__":
    main()
