"""Metadata files: found in files, folders and zips; broken ones told by line, dangerous ones refused."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from tests.support.metadata import escalation_page, milestone_type, write_files
from triage.errors import IntakeError
from triage.salesforce.metadata import MOST_BYTES, Source, find_metadata, is_metadata
from triage.salesforce.metadata_reading import read_sources
from triage.salesforce.metadata_xml import Malformed, read_xml

RULE = escalation_page("Standard", [{"escalationActions": [{"minutesToEscalation": 60}]}])


def zipped(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def refusal(data: bytes) -> Malformed:
    with pytest.raises(Malformed) as raised:
        read_xml(Source("Case.escalationRules", data))
    return raised.value


def test_a_folder_gives_its_metadata_in_the_order_of_names_and_counts_the_rest(tmp_path: Path) -> None:
    files = {"b/Case.escalationRules-meta.xml": RULE, "a/X.milestoneType": milestone_type("none"), "README.md": "hello"}
    found = find_metadata(write_files(tmp_path, files))
    assert [one.name for one in found.sources] == ["a/X.milestoneType", "b/Case.escalationRules-meta.xml"]
    assert [one.stem for one in found.sources] == ["X", "Case"]
    assert found.others == 1


def test_a_file_that_is_named_is_read_whatever_it_is_called(tmp_path: Path) -> None:
    path = tmp_path / "rules.txt"
    path.write_text(RULE)
    assert len(find_metadata(path).sources) == 1


def test_a_zip_gives_what_a_folder_gives(tmp_path: Path) -> None:
    path = zipped(tmp_path / "m.zip", {"src/escalationRules/Case.escalationRules": RULE.encode()})
    assert find_metadata(path).sources[0].data == RULE.encode()


@pytest.mark.parametrize(
    "name", ["../Case.escalationRules", "/etc/Case.escalationRules", "a\\..\\..\\x.queue", "C:\\x.queue"]
)
def test_a_zip_whose_names_leave_it_is_refused_whole(tmp_path: Path, name: str) -> None:
    with pytest.raises(IntakeError, match="leaves the archive"):
        find_metadata(zipped(tmp_path / "m.zip", {name: b"x"}))


def test_a_zip_bomb_is_refused_and_its_neighbours_are_read(tmp_path: Path) -> None:
    files = {"a.escalationRules": RULE.encode(), "bomb.escalationRules": b" " * (MOST_BYTES + 1)}
    found = find_metadata(zipped(tmp_path / "m.zip", files))
    assert [one.name for one in found.sources] == ["a.escalationRules"]
    assert "refused" in found.faults[0].text


def test_a_member_that_packs_too_well_is_refused(tmp_path: Path) -> None:
    found = find_metadata(zipped(tmp_path / "m.zip", {"x.escalationRules": b" " * (3 << 20)}))
    assert (found.sources, len(found.faults)) == ((), 1)


def test_a_broken_zip_and_a_path_to_nothing_are_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "m.zip").write_bytes(b"PK\x03\x04 no")
    with pytest.raises(IntakeError, match="no zip file"):
        find_metadata(tmp_path / "m.zip")
    with pytest.raises(IntakeError, match="does not exist"):
        find_metadata(tmp_path / "nothing")


def test_a_link_that_leaves_the_folder_is_refused(tmp_path: Path) -> None:
    outside = write_files(tmp_path / "outside", {"Case.escalationRules": RULE})
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "Case.escalationRules").symlink_to(outside / "Case.escalationRules")
    found = find_metadata(inside)
    assert (found.sources, "leaves the folder" in found.faults[0].text) == ((), True)


def test_elements_know_their_lines() -> None:
    root, notes = read_xml(Source("f", RULE.encode()))
    assert (root.name, notes) == ("EscalationRules", ())
    rule = root.all("escalationRule")[0]
    assert rule.line == 3
    assert rule.line_of("ruleEntry") > rule.line


def test_a_merge_conflict_is_told_at_its_line() -> None:
    lines = RULE.splitlines()
    lines[4:4] = ["<<<<<<< HEAD", "=======", ">>>>>>> branch"]
    fault = refusal("\n".join(lines).encode()).fault
    assert (fault.line, "merge conflict" in fault.text) == (5, True)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "is empty"),
        (b"   \n ", "is empty"),
        (RULE.encode()[:-30], "not XML"),
        (RULE.encode()[: len(RULE) // 2], "not XML"),
        (RULE.replace("Standard", "a & b").encode(), "not XML"),
        (RULE.replace("Standard", "caf\xe9").encode("latin-1"), "not UTF-8"),
        (RULE.replace("UTF-8", "klingon").encode(), "is not known"),
        (RULE.replace("?>", '?><!DOCTYPE a [<!ENTITY b "c">]>', 1).encode(), "document type"),
        (RULE.replace("?>", '?><!DOCTYPE a SYSTEM "file:///etc/passwd">', 1).encode(), "document type"),
        (b"<a>" * 60 + b"</a>" * 60, "nested deeper"),
        (b"\x00\x01\x02", "not XML"),
    ],
)
def test_a_file_that_cannot_be_read_is_told_why(data: bytes, said: str) -> None:
    malformed = refusal(data)
    assert said in malformed.fault.text
    assert malformed.fault.line >= 1


@pytest.mark.parametrize(
    "data",
    [
        b"\xef\xbb\xbf" + RULE.encode(),
        RULE.replace("UTF-8", "utf-16").encode("utf-16"),
        RULE.replace("UTF-8", "ISO-8859-1").replace("Standard", "Café").encode("latin-1"),
        RULE.replace("\n", "\r\n").encode(),
        RULE.partition("\n")[2].encode(),
    ],
)
def test_other_encodings_and_marks_are_read(data: bytes) -> None:
    assert read_sources([Source("Case.escalationRules", data)]).rules


def test_a_missing_namespace_is_remarked_and_a_prefix_is_none() -> None:
    bare = RULE.replace(' xmlns="http://soap.sforce.com/2006/04/metadata"', "")
    read = read_sources([Source("f", bare.encode())])
    assert len(read.rules) == 1
    assert "namespace" in read.notes[0].text
    prefixed = '<m:MilestoneType xmlns:m="http://soap.sforce.com/2006/04/metadata"><m:recurrenceType>none</m:recurrenceType></m:MilestoneType>'
    assert read_sources([Source("A%26B.milestoneType", prefixed.encode())]).recurrences == {"A&B": "none"}


def test_a_strange_root_is_refused_and_the_other_files_go_on() -> None:
    read = read_sources([Source("a", b"<Layout/>"), Source("b", b"<broken"), Source("c", RULE.encode())])
    assert [note.level for note in read.notes if note.level == "refused"] == ["refused", "refused"]
    assert [rule.name for rule in read.rules] == ["Standard"]


def test_what_nothing_here_knows_is_noted_not_passed_over() -> None:
    odd = RULE.replace("</ruleEntry>", "<moonPhase>full</moonPhase></ruleEntry>")
    assert "moonPhase" in read_sources([Source("a", odd.encode())]).notes[0].text


def test_a_number_that_is_none_is_noted_and_its_tier_left_out() -> None:
    read = read_sources([Source("a", RULE.replace(">60<", ">soon<").encode())])
    assert read.rules[0].entries[0].actions == ()
    assert "minutesToEscalation 'soon'" in read.notes[0].text


def test_what_a_mac_lays_beside_each_file_is_passed_over() -> None:
    assert not is_metadata("__MACOSX/rules/._Case.escalationRules")
    assert is_metadata("rules\\Case.escalationRules-meta.xml")


def test_words_between_elements_refuse_a_file_with_their_line() -> None:
    """A merge that was half resolved leaves both sides' elements, and a line between them."""
    text = RULE.replace("<active>", "======= \n<active>")
    fault = refusal(text.encode()).fault
    assert "stand between the elements of <escalationRule>" in fault.text
    assert "=======" in text.split("\n")[fault.line - 1]


@pytest.mark.parametrize("name", ["undefined", "idna", "punycode", "unicode_escape", "rot13"])
def test_an_encoding_that_no_file_has_is_told_and_breaks_nothing(name: str) -> None:
    text = RULE.replace("UTF-8", name).replace("Standard", "Stand\xe4rd")
    try:
        read_xml(Source("a.escalationRules", text.encode()))
    except Malformed as refused:
        assert refused.fault.line >= 1
