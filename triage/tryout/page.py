"""A tryout as one HTML page: no script, nothing loaded from anywhere, every text escaped."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from html import escape
from pathlib import PurePath

from triage.domain.instant import DAY, HOUR, MINUTE, to_datetime
from triage.replay.foresight import NEVER_ACTED, NOT_BEFORE
from triage.tryout.chart import chart
from triage.tryout.look import SHOWN, Case, Tryout

OPEN = 10
"""Records of a list that are seen before it is opened."""

_STYLE = """
:root{--ink:#1b1f24;--dim:#57606a;--line:#d0d7de;--good:#0b5cad;--bad:#c4501b;--page:#fff}
@media(prefers-color-scheme:dark){
:root{--ink:#e6edf3;--dim:#9da7b3;--line:#444c56;--good:#58a6ff;--bad:#f0883e;--page:#0d1117}}
body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}
body{color:var(--ink);background:var(--page)}
h1{font-size:1.6rem;margin-bottom:.2rem}h2{font-size:1.2rem;margin-top:2.4rem}
.dim,caption{color:var(--dim)}.lead{font-size:1.1rem}
table{margin-top:1rem;border-collapse:collapse;width:100%;font-size:.9rem}caption{text-align:left;padding-bottom:.3rem}
th,td{text-align:left;padding:.25rem .6rem;border-bottom:1px solid var(--line);vertical-align:top}
th,td{overflow-wrap:anywhere}
th.n,td.n{text-align:right;font-variant-numeric:tabular-nums;overflow-wrap:normal;white-space:nowrap}
.figures{display:flex;flex-wrap:wrap;gap:1rem}
.figures p{flex:1 1 8rem;border:1px solid var(--line);border-radius:6px;padding:.6rem .9rem;margin:0}
.figures b{display:block;font-size:1.7rem;line-height:1.2}
.bar{display:block;height:.7rem;background:var(--good);min-width:1px}.bar.late{background:var(--bad)}
td.bars{width:45%;vertical-align:middle}
details{margin-top:.6rem}summary{cursor:pointer;color:var(--dim)}
svg{width:100%;height:auto;margin-top:.5rem}svg text{fill:var(--dim);font-size:11px}
.good{fill:var(--good)}.bad{fill:var(--bad)}
@media print{body{max-width:none}details>*{display:block}}
"""


def page(tryout: Tryout, *, policy: str, source: str) -> str:
    """Return *tryout* as a whole HTML document; *policy* and *source* say what was tried on what."""
    body = "\n".join(_body(tryout, _named(policy), _named(source)))
    policy_of_content = "default-src 'none'; style-src 'unsafe-inline'"
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy_of_content}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>triage tryout: {_text(_named(source))}</title>\n<style>{_STYLE}</style>\n"
        f"</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


def _named(path: str) -> str:
    """Return the last part of a path: a page that is passed on does not tell where things lie on a machine."""
    return PurePath(path).name or path


def _body(tryout: Tryout, policy: str, source: str) -> Iterator[str]:
    span = f"{day_text(tryout.since)} to {day_text(tryout.until)}"
    yield "<h1>What would have been caught</h1>"
    yield f'<p class="dim">{_text(source)} under the policy {_text(policy)}, {_text(span)}. Nothing was sent: this is '
    yield "history, played through the same decision as the live worker.</p>"
    yield f'<p class="lead">{_in_words(tryout)}</p>'
    yield from _figures(tryout)
    if tryout.breaches:
        yield "<h2>Day by day</h2>"
        yield chart(tryout.days)
    yield from _early(tryout)
    yield from _where(tryout)
    yield from _noise(tryout)
    yield "<h2>Records</h2>"
    missed = tryout.breaches - tryout.caught_count
    yield from _cases(tryout.missed, missed, "Broken, and no rule acted before: the latest first", early=False)
    yield from _cases(tryout.caught, tryout.caught_count, "Caught beforehand: the earliest first", early=True)
    yield from _account(tryout)


def _days(tryout: Tryout) -> int:
    return max(1, (tryout.until - tryout.since) // DAY)


def _in_words(tryout: Tryout) -> str:
    """Return what the page says, in two sentences."""
    if not tryout.foresight.milestones:
        return "The policy has no milestones, so that nothing can be called broken: only what it does is shown."
    if not tryout.breaches:
        return f"No promise was broken. The policy would have acted {tryout.actions:,} times."
    share = f"{tryout.caught_count / tryout.breaches:.0%}"
    half = f", half of them at least {lead_text(tryout.usual_lead)} before the breach" if tryout.caught_count else ""
    said = (
        f"{tryout.breaches:,} promises were broken in {_days(tryout)} days. The policy would have acted on {share} of "
        f"them beforehand{half}. It takes {_daily(tryout)} actions a day."
    )
    kept = f" {_needless(tryout)} of the promises acted on would have been kept anyway." if tryout.acted else ""
    return _text(said + kept)


def _daily(tryout: Tryout) -> str:
    return f"{tryout.actions / _days(tryout):,.0f}"


def _needless(tryout: Tryout) -> str:
    return f"{tryout.needless / tryout.acted:.0%}" if tryout.acted else "-"


def _figures(tryout: Tryout) -> Iterator[str]:
    share = f"{tryout.caught_count / tryout.breaches:.0%}" if tryout.breaches else "-"
    figures = (
        (f"{tryout.breaches:,}", "promises broken"), (share, "of them caught beforehand"),
        (lead_text(tryout.usual_lead), "before the breach, as a rule"), (_daily(tryout), "actions a day"),
        (_needless(tryout), "of promises acted on would have been kept"),
    )  # fmt: skip
    yield '<div class="figures">' + "".join(f"<p><b>{_text(n)}</b>{_text(what)}</p>" for n, what in figures) + "</div>"


_LATE = {NOT_BEFORE: "at the breach or later", NEVER_ACTED: "never"}


def _early(tryout: Tryout) -> Iterator[str]:
    if not tryout.breaches:
        return
    yield "<h2>How early</h2>"
    most = max(1, *tryout.by_lead.values())
    rows = [
        (_text(_LATE.get(name, name)), f"{count:,}", _bar(100 * count // most, late=name in _LATE))
        for name, count in tryout.by_lead.items()
    ]
    yield _table(("first action before the breach", "promises", ""), rows, "Broken promises of these days", {1}, bars=2)


def _bar(percent: int, *, late: bool) -> str:
    return f'<span class="bar{" late" if late else ""}" style="width:{percent}%"></span>'


def _where(tryout: Tryout) -> Iterator[str]:
    if not tryout.where:
        return
    yield "<h2>Where promises were broken</h2>"
    rows = [
        (
            _text(f"{one.object} {one.milestone}"), _text(one.priority or "-"), f"{one.broken:,}", f"{one.caught:,}",
            f"{one.broken - one.caught:,}", f"{one.caught / one.broken:.0%}",
        )
        for one in tryout.where[:SHOWN]
    ]  # fmt: skip
    heads = ("promise", "priority", "broken", "caught", "missed", "caught")
    yield _table(heads, rows, "By promise and by the record's priority at the end", {2, 3, 4, 5})


def _noise(tryout: Tryout) -> Iterator[str]:
    yield "<h2>How noisy</h2>"
    hour, count = tryout.busiest_hour
    if count:
        yield f"<p>The busiest hour, {_text(hour.replace('T', ' ').replace('Z', ' UTC'))}, has {count:,} actions.</p>"
    rows = [
        (
            _text(one.rule), f"{one.actions:,}", f"{one.records:,}", f"{one.warned:,}", f"{one.needless:,}",
            _text(f"{one.busiest:,} on {one.busiest_day}" if one.busiest else "-"), f"{one.held_back:,}",
        )
        for one in tryout.noise
    ]  # fmt: skip
    heads = ("rule", "actions", "records", "first to warn", "needlessly", "busiest day", "held back")
    caption = "By rule. First to warn: of promises that were broken; needlessly: of promises that were kept"
    yield _table(heads, rows, caption, {1, 2, 3, 4, 6}) if rows else "<p>No rule acted.</p>"
    if tryout.recipients:
        people = [(_text(who), f"{number:,}") for who, number in tryout.recipients]
        yield _table(("for", "actions"), people, "Whom it would have reached most", {1})


def _cases(cases: Sequence[Case], count: int, caption: str, *, early: bool) -> Iterator[str]:
    if not cases:
        yield f"<p>{_text(caption)}. None.</p>"
        return
    rows = []
    for one in cases:
        row = [_text(f"{one.object} {one.id}"), _text(one.milestone), _text(minute_text(one.breached))]
        rows.append((*row, _text(lead_text(one.lead)), _text(one.rule)) if early else tuple(row))
    heads = (
        ("record", "promise", "broken at (UTC)", "caught before", "by")
        if early
        else ("record", "promise", "broken at (UTC)")
    )
    more = f": {len(cases)} of {count:,}" if count > len(cases) else f": {count:,}"
    yield _table(heads, rows[:OPEN], caption + more, set())
    if rows[OPEN:]:
        yield f"<details><summary>{len(rows) - OPEN} more</summary>{_table(heads, rows[OPEN:], '', set())}</details>"


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


def day_text(instant: int) -> str:
    """Return the day of an instant for people, in UTC: 3 May 2026."""
    moment = to_datetime(instant)
    return f"{moment.day} {moment:%B} {moment.year}"


def minute_text(instant: int) -> str:
    """Return an instant for people, in UTC: 2026-05-03 14:05."""
    return f"{to_datetime(instant):%Y-%m-%d %H:%M}"


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]], caption: str, numbers: set[int], bars: int = -1) -> str:
    """Return a table; cells are HTML already, heads and caption are text. *bars* is the column of bars."""

    def cells(name: str, row: Sequence[str]) -> str:
        kinds = (' class="n"' if at in numbers else ' class="bars"' if at == bars else "" for at in range(len(row)))
        return "".join(f"<{name}{kind}>{cell}</{name}>" for kind, cell in zip(kinds, row, strict=True))

    head = cells("th", [_text(one) for one in heads])
    body = "".join(f"<tr>{cells('td', row)}</tr>" for row in rows)
    said = f"<caption>{_text(caption)}</caption>" if caption else ""
    return f"<table>{said}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _text(text: str) -> str:
    """Return *text* as it may stand in HTML, in content and in attributes."""
    return escape("".join(c if c.isprintable() else " " for c in text), quote=True)
