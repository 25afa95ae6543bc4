"""A tryout as one HTML page: no script, nothing loaded from anywhere, every text escaped."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from html import escape

from triage.domain.instant import DAY, HOUR, MINUTE, format_instant
from triage.replay.foresight import COLUMNS
from triage.tryout.look import SHOWN, Case, Tryout, span_text

_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1b1f24;background:#fff}
h1{font-size:1.6rem}h2{font-size:1.2rem;margin-top:2.2rem}
table{border-collapse:collapse;width:100%;font-size:.9rem}caption{text-align:left;color:#57606a;padding-bottom:.3rem}
th,td{text-align:left;padding:.25rem .6rem;border-bottom:1px solid #d0d7de;vertical-align:top;overflow-wrap:anywhere}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;overflow-wrap:normal}
.figures{display:flex;flex-wrap:wrap;gap:1rem}
.figures p{flex:1 1 8rem;border:1px solid #d0d7de;padding:.6rem .9rem;margin:0}
.figures b{display:block;font-size:1.7rem;line-height:1.2}
.bar{display:block;height:.7rem;background:#0b5cad;min-width:1px}
@media(prefers-color-scheme:dark){body{background:#0d1117;color:#e6edf3}th,td,.figures p{border-color:#444c56}
caption{color:#9da7b3}.bar{background:#58a6ff}}
"""


def page(tryout: Tryout, *, policy: str, source: str) -> str:
    """Return *tryout* as a whole HTML document; *policy* and *source* say what was tried on what."""
    body = "\n".join(_body(tryout, policy, source))
    policy_of_content = "default-src 'none'; style-src 'unsafe-inline'"
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy_of_content}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>triage tryout: {_text(source)}</title>\n<style>{_STYLE}</style>\n"
        f"</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


def _body(tryout: Tryout, policy: str, source: str) -> Iterator[str]:
    yield f"<h1>What would have been caught</h1><p>{_text(source)} under {_text(policy)}, {_text(span_text(tryout))}. "
    yield "Nothing was sent: this is history, played through the same decision as the live worker.</p>"
    yield from _figures(tryout)
    yield from _early(tryout)
    yield "<h2>Caught</h2>"
    yield _cases(
        tryout.caught, tryout.caught_count, "Breaches before which a rule acted, the earliest first", early=True
    )
    yield "<h2>Missed</h2>"
    missed = tryout.breaches - tryout.caught_count
    yield _cases(tryout.missed, missed, "Breaches before which no rule acted, the latest first", early=False)
    yield from _noise(tryout)
    yield from _account(tryout)


def _figures(tryout: Tryout) -> Iterator[str]:
    share = f"{tryout.caught_count / tryout.breaches:.0%}" if tryout.breaches else "-"
    acted = sum(one.acted for one in tryout.foresight.milestones)
    needless = sum(one.needless for one in tryout.foresight.milestones)
    days = max(1, (tryout.until - tryout.since) // DAY)
    figures = (
        (f"{tryout.breaches:,}", "promises broken"), (share, "of them caught beforehand"),
        (f"{tryout.actions:,}", "actions"), (f"{tryout.actions / days:.1f}", "actions a day"),
        (f"{needless / acted:.0%}" if acted else "-", "of runs acted on would have been kept anyway"),
    )  # fmt: skip
    yield '<div class="figures">' + "".join(f"<p><b>{_text(n)}</b>{_text(what)}</p>" for n, what in figures) + "</div>"
    if not tryout.foresight.milestones:
        yield "<p>The policy has no milestones, so that nothing can be called broken: only what it does is shown.</p>"


def _early(tryout: Tryout) -> Iterator[str]:
    if not tryout.foresight.milestones:
        return
    yield "<h2>How early</h2>"
    totals = {name: sum(one.by_lead[name] for one in tryout.foresight.milestones) for name in COLUMNS}
    most = max(1, *totals.values())
    rows = [
        (_text(name), f"{count:,}", f'<span class="bar" style="width:{100 * count // most}%"></span>')
        for name, count in totals.items()
    ]
    yield _table(
        ("before the breach", "breaches", ""), rows, "Every breach of the records played, by the first action", {1}
    )
    by_milestone = [
        (
            _text(f"{one.object} {one.milestone}"), f"{one.runs:,}", f"{one.breaches:,}", f"{one.foreseen:,}",
            f"{one.acted:,}", f"{one.needless:,}", "-" if one.precision is None else f"{one.precision:.0%}",
        )
        for one in tryout.foresight.milestones
    ]  # fmt: skip
    heads = ("milestone", "runs", "broken", "caught", "acted on", "needlessly", "precision")
    yield _table(heads, by_milestone, "By milestone, over the whole life of the records played", {1, 2, 3, 4, 5, 6})


def _cases(cases: Sequence[Case], count: int, caption: str, *, early: bool) -> str:
    if not cases:
        return "<p>None.</p>"
    more = f": {SHOWN} of {count:,} shown" if count > len(cases) else f": {count:,}"
    rows = []
    for one in cases:
        row = [_text(f"{one.object} {one.id}"), _text(one.milestone), _text(format_instant(one.breached))]
        rows.append((*row, _text(lead_text(one.lead)), _text(one.rule)) if early else tuple(row))
    heads = ("record", "milestone", "broken at", "caught before", "by")
    return _table(heads if early else heads[:3], rows, caption + more, set())


def _noise(tryout: Tryout) -> Iterator[str]:
    yield "<h2>How noisy</h2>"
    hour, count = tryout.busiest_hour
    if count:
        yield f"<p>The busiest hour, {_text(hour)}, has {count:,} actions.</p>"
    rows = [
        (
            _text(one.rule), f"{one.actions:,}", f"{one.records:,}",
            _text(f"{one.busiest:,} on {one.busiest_day}" if one.busiest else "-"), f"{one.held_back:,}",
        )
        for one in tryout.noise
    ]  # fmt: skip
    heads = ("rule", "actions", "records", "busiest day", "held back")
    yield _table(heads, rows, "By rule", {1, 2, 4}) if rows else "<p>No rule acted.</p>"
    if tryout.recipients:
        people = [(_text(who), f"{number:,}") for who, number in tryout.recipients]
        yield _table(("for", "actions"), people, "Whom it would have reached most", {1})


def _account(tryout: Tryout) -> Iterator[str]:
    """Say what was read and what could not be used: figures without their account are worth nothing."""
    yield "<h2>What this rests on</h2>"
    events = tryout.summary.events
    yield (
        f"<p>{tryout.records:,} records to which something happened in these days; {events.read:,} events, "
        f"{events.replayed:,} played, {events.refused:,} refused. Policy {_text(tryout.summary.policy[:12])}.</p>"
    )
    rows = [
        (_text(name), f"{count.rows:,}", f"{count.used:,}", f"{count.refused:,}")
        for name, count in tryout.summary.files.items()
    ]
    if rows:
        yield _table(("file", "rows", "used", "refused"), rows, "Files", {1, 2, 3})
    told = [f"{reason}: {count:,}" for reason, count in list(tryout.summary.refused.items())[:SHOWN]]
    told += [f"{name} was not read: {reason}" for name, reason in tryout.summary.skipped.items()]
    told += [f"{one.object} {one.column}: {one.count:,} values taken as missing" for one in tryout.doubts[:SHOWN]]
    told += tryout.notes
    if told:
        yield "<ul>" + "".join(f"<li>{_text(one)}</li>" for one in told) + "</ul>"


def lead_text(lead: int | None) -> str:
    """Return how long before a breach something was done, in the largest unit that says it."""
    if lead is None:
        return "-"
    for size, name in ((DAY, "d"), (HOUR, "h"), (MINUTE, "min")):
        if lead >= size:
            return f"{lead / size:.1f} {name}"
    return f"{lead // 1000} s"


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]], caption: str, numbers: set[int]) -> str:
    """Return a table; cells are HTML already, heads and caption are text."""

    def cells(name: str, row: Sequence[str]) -> str:
        kinds = (' class="n"' if at in numbers else "" for at in range(len(row)))
        return "".join(f"<{name}{kind}>{cell}</{name}>" for kind, cell in zip(kinds, row, strict=True))

    head = cells("th", [_text(one) for one in heads])
    body = "".join(f"<tr>{cells('td', row)}</tr>" for row in rows)
    return f"<table><caption>{_text(caption)}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _text(text: str) -> str:
    """Return *text* as it may stand in HTML, in content and in attributes."""
    return escape("".join(c if c.isprintable() else " " for c in text), quote=True)
