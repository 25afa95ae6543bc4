"""Tables of any separator, encoding and kind of file; joins; instants; errors that name the place."""

import gzip
import json
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from training.instants import NO_TIME
from training.tables import read_table
from triage.errors import IntakeError

JAN = 1_767_225_600_000
"""2026-01-01T00:00:00Z"""


def write(folder, name, text, encoding="utf-8"):
    path = folder / name
    path.write_bytes(text.encode(encoding))
    return path


class TestKinds:
    @pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
    def test_each_separator_is_found_by_the_header(self, tmp_path, mark):
        path = write(tmp_path, "a.csv", "Id,City,N\n1,Köln,5\n2,,\n".replace(",", mark))
        frame = read_table([path], id="Id").frame
        assert frame["Id"].tolist() == ["1", "2"]
        assert frame["City"].tolist()[0] == "Köln"
        assert frame["N"].dtype.kind == "f"

    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
    def test_each_encoding_gives_the_same_text(self, tmp_path, encoding):
        path = write(tmp_path, "a.csv", "Id,City\n1,Köln\n", encoding)
        table = read_table([path], id="Id")
        assert table.frame["City"].tolist() == ["Köln"]
        assert bool(table.warnings) == (encoding in ("cp1252", "utf-16"))

    def test_gzip_parquet_and_json_lines_say_what_csv_says(self, tmp_path):
        rows = pd.DataFrame({"Id": ["a", "b"], "N": [1.5, None], "On": [True, False]})
        plain = write(tmp_path, "a.csv", "Id,N,On\na,1.5,True\nb,,False\n")
        packed = tmp_path / "a.csv.gz"
        packed.write_bytes(gzip.compress(plain.read_bytes()))
        rows.to_parquet(tmp_path / "a.parquet")
        lines = [{"Id": "a", "N": 1.5, "On": True}, {"Id": "b", "N": None, "On": False}]
        write(tmp_path, "a.jsonl", "\n".join(map(json.dumps, lines)))
        one = read_table([plain], id="Id").frame
        for name in ("a.csv.gz", "a.parquet", "a.jsonl"):
            pd.testing.assert_frame_equal(read_table([tmp_path / name], id="Id").frame, one)
        assert one["On"].tolist() == ["true", "false"]

    def test_every_kind_of_parquet_column_is_read(self, tmp_path):
        """Nested values, bytes, spans, and numbers and flags that may be missing."""
        columns = {
            "Nested": [{"a": 1}, {"a": 2}], "List": [[1, 2], [3]], "Bytes": [b"a\xff", b"b"],
            "Span": pd.to_timedelta(["1h", "2h"]), "Count": pd.array([1, None], dtype="Int64"),
            "Flag": pd.array([True, None], dtype="boolean"), "Level": pd.Categorical(["x", None]),
        }  # fmt: skip
        pd.DataFrame({"Id": ["1", "2"], **columns}).to_parquet(tmp_path / "a.parquet")
        frame = read_table([tmp_path / "a.parquet"], id="Id").frame
        assert frame["Nested"].tolist() == ['{"a":1}', '{"a":2}']
        assert frame["List"].tolist() == ["[1,2]", "[3]"]
        assert frame["Bytes"].tolist() == ["a\\xff", "b"]
        assert frame["Span"].tolist() == [3600.0, 7200.0]
        assert frame["Count"].isna().tolist() == [False, True]
        assert frame["Flag"].tolist()[0] == "true" and frame["Level"].tolist()[0] == "x"

    def test_numbers_in_the_dress_of_a_spreadsheet_are_read(self, tmp_path):
        """A blank cell in a column of numbers, as in many public tables, makes no text of it."""
        path = write(tmp_path, "a.csv", "Id;Total;Rabatt\n1;29.85;0,125\n2; ;1,5\n3;?;\n")
        frame = read_table([path], id="Id").frame
        assert frame["Total"].tolist()[0] == 29.85 and frame["Total"].isna().tolist() == [False, True, True]
        assert frame["Rabatt"].tolist()[:2] == [0.125, 1.5]

    def test_decimals_of_a_parquet_file_are_numbers(self, tmp_path):
        pd.DataFrame({"Id": ["a", "b"], "Price": [Decimal("1.50"), None]}).to_parquet(tmp_path / "a.parquet")
        assert read_table([tmp_path / "a.parquet"], id="Id").frame["Price"].tolist()[0] == 1.5

    @pytest.mark.parametrize(
        "text",
        [
            "Id,N\ra,1\rb,2\r",
            "sep=,\nId,N\na,1\nb,2\n",
            '[{"Id": "a", "N": 1}, {"Id": "b", "N": 2}]',
            '"Id",N\n"a",1\n\n"b",2\n',
        ],
    )
    def test_other_line_ends_a_told_separator_and_an_array_are_read(self, tmp_path, text):
        frame = read_table([write(tmp_path, "a.csv", text)], id="Id").frame
        assert (frame["Id"].tolist(), frame["N"].tolist()) == (["a", "b"], [1, 2])

    def test_a_name_in_the_header_may_hold_a_line_break(self, tmp_path):
        frame = read_table([write(tmp_path, "a.csv", 'Id,"two\nlines"\na,1\n')], id="Id").frame
        assert frame.columns.tolist() == ["Id", "two\nlines"]

    def test_a_fault_after_a_told_separator_is_on_its_line(self, tmp_path):
        path = write(tmp_path, "a.csv", "sep=,\nId,x\na,1\na,2\n")
        with pytest.raises(IntakeError, match=r"line 4: Id 'a' stands already at .* line 3"):
            read_table([path], id="Id")

    def test_codes_with_leading_zeros_stay_text(self, tmp_path):
        path = write(tmp_path, "a.csv", "Id,Code,N\n1,007,7\n2,010,8\n")
        frame = read_table([path], id="Id").frame
        assert frame["Code"].tolist() == ["007", "010"]
        assert frame["N"].tolist() == [7, 8]

    def test_an_id_of_twenty_digits_keeps_them_all(self, tmp_path):
        """As a float two of them would be one."""
        names = ["12345678901234567890", "12345678901234567891"]
        path = write(tmp_path, "a.csv", "Id,x\n" + "".join(f"{name},1\n" for name in names))
        assert read_table([path], id="Id").frame["Id"].tolist() == names

    def test_a_number_as_id_has_no_decimal_point(self, tmp_path):
        pd.DataFrame({"Id": [1.0, 2.0], "x": [1, 2]}).to_parquet(tmp_path / "a.parquet")
        assert read_table([tmp_path / "a.parquet"], id="Id").frame["Id"].tolist() == ["1", "2"]

    def test_free_json_in_a_cell_is_text(self, tmp_path):
        path = write(tmp_path, "a.jsonl", '{"Id":"1","x":{"a":[1,2]}}\n{"Id":"2","x":null}')
        assert read_table([path], id="Id").frame["x"].tolist()[0] == '{"a":[1,2]}'

    def test_many_rows_are_read_in_a_moment(self, tmp_path):
        lines = "\n".join(f"{number},2026-01-01T00:00:00Z,{number % 7}" for number in range(200_000))
        table = read_table([write(tmp_path, "a.csv", f"Id,At,x\n{lines}\n")], id="Id", time="At")
        assert len(table) == 200_000
        assert (table.at == JAN).all()


class TestJoins:
    def test_other_files_join_one_to_one_on_the_id(self, tmp_path):
        one = write(tmp_path, "one.csv", "Id,x\na,1\nb,2\n")
        two = write(tmp_path, "two.csv", "Id,y,x\nb,5,2\nc,6,3\n")
        table = read_table([one, two], id="Id")
        assert table.frame["Id"].tolist() == ["a", "b"]
        assert table.frame["y"].tolist()[1] == 5
        assert "two.x" in table.frame.columns
        told = " ".join(table.warnings)
        assert "1 row of records that the first file lacks" in told
        assert "1 row of the first file have no counterpart" in told

    def test_also_stacks_rows_and_marks_them(self, tmp_path):
        one = write(tmp_path, "one.csv", "Id,x,y\na,1,0\n")
        more = write(tmp_path, "more.csv", "Id,x,z\na,7,1\nq,8,1\n")
        table = read_table([one], id="Id", also=[more])
        assert table.frame["Id"].tolist() == ["a", "more:a", "q"]
        assert table.stacked.tolist() == [False, True, True]
        assert "z" not in table.frame.columns
        assert table.frame["y"].isna().tolist() == [False, True, True]

    def test_take_keeps_all_parts_together(self, tmp_path):
        path = write(tmp_path, "a.csv", "Id,At\na,2026-01-01\nb,2026-01-02\n")
        table = read_table([path], id="Id", time="At").take(np.array([False, True]))
        assert (table.frame["Id"].tolist(), table.at.tolist()) == (["b"], [JAN + 86_400_000])


class TestTimes:
    def test_naive_times_are_read_in_the_zone_and_told(self, tmp_path):
        path = write(tmp_path, "a.csv", "Id,At\na,2026-01-01 01:00\nb,2026-01-01T00:00:00Z\n")
        table = read_table([path], id="Id", time="At", tz="Europe/Berlin")
        assert table.at.tolist() == [JAN, JAN]
        assert "1 instants without a zone were read as local time of Europe/Berlin" in table.warnings[0]

    def test_three_formats_in_one_column_are_read(self, tmp_path):
        path = write(
            tmp_path, "a.csv", "Id,At\na,2026-01-01\nb,31.12.2025 12:00\nc,1 January 2026 06:00\nd,01.01.2026\n"
        )
        table = read_table([path], id="Id", time="At")
        assert ((table.at - JAN) // 3_600_000).tolist() == [0, -12, 6, 0]

    def test_the_order_of_day_and_month_is_proven_or_told(self, tmp_path):
        path = write(tmp_path, "a.csv", "Id,At\na,1/2/2026\nb,13/2/2026\n")
        assert read_table([path], id="Id", time="At").frame["At"].dt.month.tolist() == [2, 2]
        path = write(tmp_path, "b.csv", "Id,At\na,1/2/2026\n")
        table = read_table([path], id="Id", time="At")
        assert table.frame["At"].dt.month.tolist() == [1]
        assert "nothing shows the order" in table.warnings[0]

    def test_both_orders_in_one_column_are_refused(self, tmp_path):
        path = write(tmp_path, "a.csv", "Id,At\na,13/2/2026\nb,2/13/2026\n")
        with pytest.raises(IntakeError, match="side by side"):
            read_table([path], id="Id", time="At")

    @pytest.mark.parametrize(("cell", "at"), [("1767225600", JAN), ("1767225600000", JAN), ("17", 17)])
    def test_numbers_are_epochs_or_an_order(self, tmp_path, cell, at):
        path = write(tmp_path, "a.csv", f"Id,At\na,{cell}\n")
        assert read_table([path], id="Id", time="At").at.tolist() == [at]

    @pytest.mark.parametrize("cell", ["20260101", "1767225600000000", "1767225600000000000"])
    def test_numbers_may_be_written_days_or_finer_epochs(self, tmp_path, cell):
        path = write(tmp_path, "a.csv", f"Id,At\na,{cell}\n")
        assert read_table([path], id="Id", time="At").at.tolist() == [JAN]

    def test_an_order_of_vast_numbers_is_kept_by_its_places(self, tmp_path):
        path = write(tmp_path, "a.csv", f"Id,At\na,{10**17}\nb,{2 * 10**17}\nc,-5\n")
        assert read_table([path], id="Id", time="At").at.tolist() == [1, 2, 0]

    @pytest.mark.parametrize("cell", ["9999-12-31", "0001-01-01 00:00:00", "0000-00-00", "31.12.9999"])
    def test_dates_that_stand_for_none_are_missing(self, tmp_path, cell):
        path = write(tmp_path, "a.csv", f"Id,At,End\na,2026-01-01,{cell}\nb,{cell},2026-01-01\n")
        table = read_table([path], id="Id", time="At")
        assert table.at.tolist() == [JAN, NO_TIME]
        assert table.frame["End"].isna().tolist() == [True, False]

    def test_instants_beyond_every_calendar_are_missing(self, tmp_path):
        column = pa.array([2**61, 1_767_225_600_000_000], pa.timestamp("us"))
        pq.write_table(pa.table({"Id": ["a", "b"], "End": column}), tmp_path / "a.parquet")
        assert read_table([tmp_path / "a.parquet"], id="Id").frame["End"].isna().tolist() == [True, False]

    def test_one_value_in_a_hundred_that_is_no_instant_is_missing_and_told(self, tmp_path):
        rows = "".join(f"r{number},2026-01-01,2026-01-01\n" for number in range(100))
        table = read_table([write(tmp_path, "a.csv", f"Id,At,End\nx,soon,unknown\n{rows}")], id="Id", time="At")
        assert table.at.tolist()[:2] == [NO_TIME, JAN]
        assert "1 values such as 'soon' are no instants" in " ".join(table.warnings)
        assert table.frame["End"].isna().sum() == 1

    def test_a_missing_instant_counts_as_oldest(self, tmp_path):
        path = write(tmp_path, "a.csv", "Id,At\na,\nb,2026-01-01\n")
        table = read_table([path], id="Id", time="At")
        assert table.at.tolist() == [NO_TIME, JAN]
        assert "1 row without an instant" in " ".join(table.warnings)

    def test_a_clock_put_forward_gives_the_next_instant(self, tmp_path):
        path = write(tmp_path, "a.csv", "Id,At\na,2026-03-29 02:30\n")
        table = read_table([path], id="Id", time="At", tz="Europe/Berlin")
        assert table.frame["At"].dt.hour.tolist() == [1]


class TestRefusals:
    @pytest.mark.parametrize(
        ("text", "says"),
        [
            ("", "the file is empty"),
            ("Id,x\n", "no rows"),
            ("Id,x\na,1\nb,2\na,3\n", "line 4: Id 'a' stands already at a.csv, line 2"),
            ("Id,x\na,1\n,2\n", "line 3: Id is empty"),
            ("Ix,x\na,1\n", "no column 'Id'"),
            ("Id,x,x\na,1,2\n", "names column 'x' twice"),
            ("Id,x\na,1,9\n", "3 cells where the header has 2"),
            ("Id,At\na,2026-01-01\nb,soon\n", "line 3: At 'soon' is not an instant"),
            ('Id,n,At\na,"two\nlines",2026-01-01\nb,,soon\n', "line 4: At 'soon'"),
            ('{"Id":1}\n{"Id":', "line 2: no JSON object"),
        ],
    )
    def test_a_fault_names_file_line_and_column(self, tmp_path, text, says):
        path = write(tmp_path, "a.csv", text)
        with pytest.raises(IntakeError, match=r"a\.csv") as found:
            read_table([path], id="Id", time="At" if "At" in text else None)
        assert says in str(found.value)

    def test_damaged_files_are_refused_in_words(self, tmp_path):
        for name, data in (
            ("a.gz", b"\x1f\x8b\x08broken"),
            ("a.parquet", b"PAR1broken"),
            ("a.xlsx", b"PK\x03\x04\x00\x00"),
        ):
            (tmp_path / name).write_bytes(data)
            with pytest.raises(IntakeError, match=name):
                read_table([tmp_path / name], id="Id")
        with pytest.raises(IntakeError, match="cannot be read"):
            read_table([tmp_path / "none.csv"], id="Id")
        with pytest.raises(IntakeError, match="--data"):
            read_table([], id="Id")

    def test_an_unknown_zone_or_column_is_named(self, tmp_path):
        path = write(tmp_path, "a.csv", "Id,At\na,2026-01-01\n")
        with pytest.raises(IntakeError, match="Nowhere"):
            read_table([path], id="Id", time="At", tz="Nowhere")
        with pytest.raises(IntakeError, match="did you mean"):
            read_table([path], id="Id", time="Att")
