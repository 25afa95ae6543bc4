"""The leak guard: each kind of planted leak is named with its evidence, clean columns are left alone."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from training.guards import find_leaks
from training.maturity import open_rows
from training.names import saying_of, words_of_name
from training.tables import Table, read_table

DAY = 86_400_000
BEGIN = 1_767_225_600_000


def clean(n=3000, seed=0):
    """Return a table of honest columns and its target (share of ones about 0.3)."""
    rng = np.random.default_rng(seed)
    levels = rng.integers(0, 8, n)
    number = rng.normal(size=n)
    odds = -1.2 + 0.5 * number + 0.25 * (levels - 4)
    y = (rng.random(n) < 1 / (1 + np.exp(-odds))).astype(float)
    at = BEGIN + np.sort(rng.integers(0, 100 * DAY, n))
    frame = pd.DataFrame(
        {
            "Id": [f"r{at}" for at in range(n)],
            "CreatedDate": pd.Series(at.astype("datetime64[ms]")).dt.tz_localize("UTC"),
            "Origin": pd.Series(rng.choice(["Web", "Phone", "Mail"], n)).astype("str"),
            "Product": pd.Series([f"p{level}" for level in levels]).astype("str"),
            "Amount": number,
            "Visits": rng.poisson(3, n),
            "Industry": pd.Series(rng.choice(["a", "b", None], n)).astype("str").where(rng.random(n) < 0.8),
            "DueDate": pd.Series((at + DAY * rng.choice([1, 3], n)).astype("datetime64[ms]")).dt.tz_localize("UTC"),
        }
    )
    return Table(frame, "Id", "CreatedDate", at), y, rng


def named(table, y, task="binary", **options):
    return {found.column: found for found in find_leaks(table, y, task, **options)}


class TestPlanted:
    def test_a_clean_table_has_no_finding(self):
        for seed in range(5):
            table, y, _ = clean(seed=seed)
            assert named(table, y) == {}

    def test_a_copy_of_the_target_is_named(self):
        table, y, _ = clean()
        table.frame["Zeta"] = np.where(y > 0, "on", "off")
        assert "the target in other words" in named(table, y)["Zeta"].evidence[0]

    @pytest.mark.parametrize("noise", [0.02, 0.05, 0.1])
    def test_a_noisy_copy_is_out_of_line(self, noise):
        table, y, rng = clean()
        flipped = np.where(rng.random(len(y)) < noise, 1 - y, y)
        table.frame["Zeta"] = flipped + rng.normal(scale=0.1, size=len(y))
        assert list(named(table, y)) == ["Zeta"]

    def test_a_column_filled_for_one_class_only_is_named(self):
        table, y, rng = clean()
        table.frame["Zeta"] = pd.Series(rng.choice(["late", "lost"], len(y))).where(
            (y > 0) & (rng.random(len(y)) < 0.5)
        )
        assert "of one class" in named(table, y)["Zeta"].evidence[0]

    def test_an_instant_after_the_row_is_named_and_a_due_date_is_not(self):
        table, y, rng = clean()
        later = table.at + rng.integers(1, 50 * DAY, len(y))
        table.frame["Zeta"] = pd.Series(later.astype("datetime64[ms]")).dt.tz_localize("UTC")
        found = named(table, y)
        assert list(found) == ["Zeta"]
        assert "after the row's own in 100%" in found["Zeta"].evidence[0]

    def test_a_name_needs_evidence_unless_a_crm_writes_it_at_the_end(self):
        table, y, rng = clean()
        table.frame["LeadQuality__c"] = pd.Series(rng.choice(["good", "bad"], len(y))).astype("str")
        table.frame["ReopenCount__c"] = rng.poisson(0.1, len(y))
        assert list(named(table, y)) == ["ReopenCount__c"]
        worked = np.where(rng.random(len(y)) < 0.6, y, rng.integers(0, 2, len(y)))
        table.frame["LeadQuality__c"] = pd.Series(np.where(worked > 0, "good", "bad")).astype("str")
        assert set(named(table, y)) == {"ReopenCount__c", "LeadQuality__c"}

    def test_in_rows_rolled_back_to_their_opening_no_name_speaks_against_a_column(self):
        table, y, rng = clean()
        table.frame["ReopenCount__c"] = rng.poisson(0.1, len(y))
        assert named(replace(table, as_opened=True), y) == {}

    def test_history_that_writes_a_value_later_names_the_column(self):
        table, y, _ = clean()
        rows = table.frame.iloc[:600]
        history = pd.DataFrame(
            {
                "CaseId": rows["Id"],
                "Field": "Product",
                "OldValue": "p-old",
                "NewValue": rows["Product"],
                "CreatedDate": rows["CreatedDate"] + pd.Timedelta(hours=5),
            }
        )
        found = named(table, y, history=history)
        assert list(found) == ["Product"]
        assert "written again after the row's instant in 20% of records" in found["Product"].evidence[0]

    def test_tokens_of_one_class_in_a_text_are_named(self):
        table, y, rng = clean()
        words = np.array(["the", "printer", "on", "my", "desk", "does", "not", "start", "again", "today", "please"])
        texts = [" ".join(rng.choice(words, 9)) for _ in y]
        table.frame["Body"] = pd.Series(texts).astype("str")
        assert named(table, y) == {}
        marked = [f"{text} sent" if one and rng.random() < 0.9 else text for text, one in zip(texts, y, strict=True)]
        table.frame["Body"] = pd.Series(marked).astype("str")
        found = named(table, y)["Body"]
        assert found.tokens == ("sent",)
        assert "'sent' stands in 9" in found.evidence[0]

    def test_several_classes_are_judged_one_against_the_rest(self):
        table, y, rng = clean()
        three = y + (rng.random(len(y)) < 0.4)
        table.frame["Zeta"] = pd.Series(np.where(three == 2, "late", "")).astype("str")
        assert "Zeta" in named(table, three, "classes")

    def test_an_honest_column_that_tells_the_ends_of_a_scale_is_left_alone(self):
        """It reaches a high AUC for the topmost class; what was written by the outcome tells the middle as well."""
        table, _, rng = clean()
        strong = table.frame["Amount"].to_numpy()
        y = np.clip(np.round(strong + 0.7 * rng.normal(size=len(strong)) + 2), 0, 4)
        assert "Amount" not in named(table, y, "classes")
        table.frame["Zeta"] = np.where(rng.random(len(y)) < 0.05, rng.integers(0, 5, len(y)), y)
        assert "Zeta" in named(table, y, "classes")

    @pytest.mark.parametrize("reach", [1.3, 1.8])
    def test_an_honest_column_may_be_far_stronger_than_all_others(self, reach):
        """It tells by degrees (AUC 0.82 and 0.9 alone), as an income or a score does; a copy with errors does not."""
        table, y, rng = clean()
        table.frame["Income"] = reach * y + rng.normal(size=len(y))
        assert named(table, y) == {}

    def test_a_few_filled_rows_of_one_class_are_chance(self):
        """A wide table has many nearly empty columns."""
        rng = np.random.default_rng(3)
        y = (rng.random(1000) < 0.12).astype(float)
        quiet = np.flatnonzero(y == 0)[:30]
        frame = pd.DataFrame({"Id": [f"r{at}" for at in range(1000)], "Note": pd.Series([None] * 1000, dtype="str")})
        frame.loc[quiet, "Note"] = "x"
        assert named(Table(frame, "Id"), y) == {}

    @pytest.mark.parametrize("filled", [0, 1])
    def test_a_column_filled_for_one_class_is_named_however_rare_the_other(self, filled):
        """Of 5,000 rows 100 are of class 1: either 60 of them alone have a note, or 1,500 of the others."""
        rng = np.random.default_rng(3)
        y = (np.arange(5000) < 100).astype(float)
        noted = (y == filled) & (rng.random(5000) < (0.6 if filled else 0.3))
        note = pd.Series(np.where(noted, "x", None), dtype="str").where(noted)
        frame = pd.DataFrame({"Id": [f"r{at}" for at in range(5000)], "Zeta": note, "Other": rng.normal(size=5000)})
        assert list(named(Table(frame, "Id"), y)) == ["Zeta"]

    def test_a_day_that_was_planned_may_lie_ahead(self):
        table, y, rng = clean()
        ahead = (table.at + rng.integers(DAY, 90 * DAY, len(y))).astype("datetime64[ms]")
        table.frame["AppointmentDay"] = pd.Series(ahead).dt.tz_localize("UTC")
        assert named(table, y) == {}

    def test_one_class_that_every_column_tells_is_an_easy_one(self):
        """As a kind of flower does; a column that alone tells one class of several is written by it."""
        rng = np.random.default_rng(4)
        y = rng.integers(0, 3, 600).astype(float)
        width = {f"Width{at}": (y == 0) * far + (y == 1) + rng.normal(size=600) for at, far in enumerate((6, 3, 3, 3))}
        table = Table(pd.DataFrame({"Id": [f"r{at}" for at in range(600)], **width}), "Id")
        assert named(table, y, "classes") == {}

    def test_a_price_list_may_order_an_amount(self):
        table, _, rng = clean()
        price = rng.lognormal(size=len(table))
        table.frame["ListPrice"] = price
        assert named(table, price * rng.uniform(0.9, 1.1, len(table)), "number") == {}

    def test_what_a_person_keeps_is_found_and_not_dropped(self):
        table, y, _ = clean()
        table.frame["leak_x"] = y
        assert not named(table, y, protect=["leak_x"])["leak_x"].drop
        assert named(table, y)["leak_x"].drop

    def test_the_order_of_rows_changes_nothing_named(self):
        table, y, rng = clean()
        table.frame["ClosedDate"] = y
        order = rng.permutation(len(y))
        assert set(named(table.take(order), y[order])) == set(named(table, y)) == {"ClosedDate"}


class TestOpenRows:
    def test_rows_still_open_are_no_class_zero(self):
        frame = pd.DataFrame({"Id": list("abcd"), "IsClosed": ["true", "true", "false", "false"]})
        found, told = open_rows(Table(frame, "Id"), np.array([1.0, 0, 0, 0]))
        assert found.tolist() == [False, False, True, True]
        assert told.startswith("2 rows are still open (IsClosed)")

    def test_a_flag_that_open_rows_with_an_outcome_contradict_is_no_such_flag(self):
        frame = pd.DataFrame({"Id": list("abcd"), "IsClosed": ["true", "true", "false", "false"]})
        assert not open_rows(Table(frame, "Id"), np.array([1.0, 0, 1, 0]))[0].any()


class TestNames:
    @pytest.mark.parametrize(
        ("name", "words"),
        [
            ("CloseCode__c", "close code"),
            ("close_code", "close code"),
            ("Last Activity", "last activity"),
            ("SLABreach", "sla breach"),
        ],
    )
    def test_words_are_told_apart_however_they_are_written(self, name, words):
        assert words_of_name(name) == words

    @pytest.mark.parametrize(
        "name", ["ClosedDate", "resolved_by", "IsViolated", "made_sla", "sys_mod_count", "FinalPriority"]
    )
    def test_names_of_the_end_are_known(self, name):
        assert saying_of(name).floor == 0

    @pytest.mark.parametrize(
        "name",
        [
            "Priority",
            "poutcome",
            "previous_outcome",
            "TargetDate",
            "FirstStatus",
            "Description",
            "fixed_acidity",
            "screen_resolution",
            "courses_completed",
            "JobSatisfaction",
            "after_hours",
            "post_code",
            "final_weight",
            "actual_age",
        ],
    )
    def test_names_of_the_beginning_say_nothing(self, name):
        assert saying_of(name) is None

    @pytest.mark.parametrize(
        ("name", "values", "flagged"),
        [
            ("MaritalStatus", ["Married", "Single"], False),
            ("State", ["CA", "NY"], False),
            ("Status", ["Closed", "Working"], True),
            ("reservation_status", ["Check-Out", "Seated"], True),
        ],
    )
    def test_a_state_leaks_where_its_values_speak_of_an_end(self, name, values, flagged):
        """Each reaches an AUC of about 0.65 alone: what a person is may tell that much, what became of a case too."""
        table, y, rng = clean()
        told = np.where(rng.random(len(y)) < 0.35, 1 - y, y)
        table.frame[name] = pd.Series(np.where(told > 0, values[0], values[1])).astype("str")
        assert (name in named(table, y)) == flagged


LEAD = {"leak_tags", "leak_lead_quality", "leak_lead_profile", "leak_last_activity", "leak_last_notable_activity"}
LEAD |= {f"leak_asymmetrique_{what}_{kind}" for what in ("activity", "profile") for kind in ("index", "score")}
PLAIN = {"Tags__c", "LeadQuality__c", "LeadProfile__c", "LastActivity__c", "LastNotableActivity__c"}
PLAIN |= {f"Asymmetrique{what}{kind}__c" for what in ("Activity", "Profile") for kind in ("Index", "Score")}
CASE = {"ResolvedDate__c", "ClosedDate", "CloseCode__c", "ResolvedById__c", "FinalPriority", "ReassignmentCount__c"}
CASE |= {"ReopenCount__c", "EventCount__c", "y_resolution_hours"}
ENDAVA = {"leak_ticket_type", "leak_sub1", "leak_sub2", "leak_impact", "Description"}
MAVEN = {"StageName", "IsClosed", "CloseDate", "y_amount"}
EXPORTS = [
    ("servicenow_case.parquet servicenow_case_label.parquet", "CaseId", "CreatedDate", "y_sla_breach", CASE),
    ("xeducation_lead.parquet", "LeadId", None, "y_converted", LEAD),
    ("sf_export/Lead.csv.gz", "Id", None, "IsConverted", PLAIN),
    ("sf_export/Opportunity.csv.gz", "Id", "CreatedDate", "IsWon", {"StageName", "IsClosed", "CloseDate", "Amount"}),
    ("shoppers_lead.parquet", "LeadId", None, "y_converted", {"PageValues"}),
    ("maven_opportunity.parquet", "OpportunityId", "CreatedDate", "y_won", MAVEN),
    ("endava_case.parquet", "CaseId", None, "y_incident", ENDAVA | {"y_urgency"}),
    ("mozilla_case.parquet", "CaseId", None, "y_severe", {"y_severity"}),
]  # fmt: skip


@pytest.mark.shared
@pytest.mark.parametrize(("files", "id", "time", "target", "leaks"), EXPORTS)
def test_on_the_raw_exports_every_leak_is_named_and_nothing_else(shared, files, id, time, target, leaks):
    table = read_table([shared / "data" / name for name in files.split()], id=id, time=time)
    column = table.frame[target]
    y = column.to_numpy(float) if column.dtype.kind in "if" else (column == "true").to_numpy(float)
    assert {found.column for found in find_leaks(table, y, "binary", target=target)} == leaks


@pytest.mark.shared
@pytest.mark.parametrize("name", ["servicenow_case", "airline_message", "semeval_message"])
def test_on_clean_tables_nothing_is_named(shared, name):
    id = "CaseId" if "case" in name else "MessageId"
    table = read_table([shared / "data" / f"{name}.parquet"], id=id)
    if "case" in name:
        labels = read_table([shared / "data" / "servicenow_case_label.parquet"], id=id).frame
        y, task = labels["y_sla_breach"].to_numpy(float), "binary"
    else:
        y, task = table.frame["y_sentiment"].to_numpy(float), "classes"
    found = find_leaks(table, y, task, target="y_sentiment")
    assert [one.column for one in found if not one.column.startswith("leak_")] == []
