"""
Metadata files wherever they lie: one file, a folder (SFDX source or Metadata API layout) or a zip, as names and bytes.

Nothing is unpacked to disk: members of a zip are read one by one, within bounds, and names that leave it are refused.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from msgspec import Struct

from triage.errors import Fault, IntakeError
from triage.intake.text import show

MOST_FILES = 20_000
MOST_BYTES = 16 * 1024 * 1024
"""One file. Salesforce itself refuses metadata files long before this."""
MOST_IN_ALL = 256 * 1024 * 1024
MOST_RATIO = 200
"""How many times larger than its packed form a member of a zip may be, once it is larger than a MiB."""

KINDS = (
    "escalationRules", "assignmentRules", "autoResponseRules", "entitlementProcess", "milestoneType", "queue",
    "settings", "field", "object",
)  # fmt: skip
"""Extensions that may hold what is imported, with or without `-meta.xml`."""


class Source(Struct, frozen=True):
    """One metadata file: its path below what was named, and its bytes."""

    name: str
    data: bytes

    @property
    def stem(self) -> str:
        """The file's own name without its extensions: what Salesforce takes for the component's name."""
        base = PurePosixPath(self.name).name.removesuffix("-meta.xml").removesuffix(".xml")
        return base.rpartition(".")[0] or base


class Found(Struct, frozen=True):
    """The files that may hold something to import, how many others there were, and what could not be read."""

    sources: tuple[Source, ...]
    others: int
    faults: tuple[Fault, ...]


class _Refused(Exception):
    """One file cannot be read: why."""


def find_metadata(path: Path) -> Found:
    """
    Return the metadata files at *path*: a file, a folder or a zip; in the order of their names.

    Raises:
        IntakeError: there is no such path, a zip that is broken, too large or leaves its own folder, or too many files.
    """
    if path.is_dir():
        return _gathered(_in_folder(path))
    if not path.is_file():
        raise IntakeError(f"{path} does not exist: name a metadata file, a folder of them, or a zip")
    if zipfile.is_zipfile(path):
        return _gathered(_in_zip(path))
    if path.suffix.casefold() == ".zip":
        raise IntakeError(f"{path} is no zip file, or was cut off")
    return _gathered(iter([(path.name, lambda: _read(path), True)]))


def is_metadata(name: str) -> bool:
    """Return whether a file called *name* may hold what is imported."""
    base = PurePosixPath(name.replace("\\", "/")).name
    if base.startswith("._"):
        # What a Mac lays beside each file in a zip: no metadata, though it is called so.
        return False
    return base.removesuffix("-meta.xml").rpartition(".")[2] in KINDS


_Members = Iterator[tuple[str, "_Reader", bool]]


class _Reader:
    """Something that gives a file's bytes when it is called."""

    def __call__(self) -> bytes:
        raise NotImplementedError


def _gathered(members: Iterator[tuple[str, object, bool]]) -> Found:
    """Read the members that may be ours; the third of each says that it was named on purpose."""
    sources: list[Source] = []
    faults: list[Fault] = []
    others = total = 0
    for name, read, named in members:
        if not named and not is_metadata(name):
            others += 1
            continue
        try:
            data: bytes = read()  # type: ignore[operator]
        except (_Refused, OSError) as cause:
            faults.append(Fault(name, 1, 1, getattr(cause, "strerror", None) or str(cause)))
            continue
        total += len(data)
        if total > MOST_IN_ALL:
            raise IntakeError(f"more than {MOST_IN_ALL >> 20} MiB of metadata: import it in parts")
        sources.append(Source(name, data))
    return Found(tuple(sources), others, tuple(faults))


def _in_folder(root: Path) -> Iterator[tuple[str, object, bool]]:
    """Yield the files of a folder; a link that leaves it is refused when it is read."""
    inside = root.resolve()
    for count, file in enumerate(sorted(root.rglob("*"), key=lambda one: one.relative_to(root).as_posix())):
        if count > 10 * MOST_FILES:
            raise IntakeError(f"more than {10 * MOST_FILES:,} files below {root}: name the folder of the metadata")
        if file.is_dir():
            continue
        yield file.relative_to(root).as_posix(), lambda file=file: _read(file, inside), False


def _read(file: Path, inside: Path | None = None) -> bytes:
    if inside is not None and not file.resolve().is_relative_to(inside):
        raise _Refused("a link that leaves the folder: copy the file instead")
    if not file.is_file():
        raise _Refused("not a plain file")
    if file.stat().st_size > MOST_BYTES:
        raise _Refused(f"larger than {MOST_BYTES >> 20} MiB")
    return file.read_bytes()


def _in_zip(path: Path) -> Iterator[tuple[str, object, bool]]:
    """Yield the members of a zip; names that leave it, and more members than anybody has, refuse it whole."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            if len(members) > MOST_FILES:
                raise IntakeError(f"{path} has {len(members):,} members: {MOST_FILES:,} are the most")
            for member in members:
                _check_name(path, member.filename)
            for member in sorted(members, key=lambda one: one.filename):
                if not member.is_dir():
                    yield member.filename, lambda member=member: _member(archive, member), False
    except (zipfile.BadZipFile, zlib.error, NotImplementedError) as cause:
        raise IntakeError(f"{path} cannot be unpacked: {cause}") from cause


def _check_name(path: Path, name: str) -> None:
    parts = PurePosixPath(name.replace("\\", "/"))
    if parts.is_absolute() or ".." in parts.parts or ":" in (parts.parts[0] if parts.parts else ""):
        raise IntakeError(f"{path} holds {show(name)}, a name that leaves the archive: it is refused whole")


def _member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    """Return one member, never more of it than is allowed, whatever its header says."""
    if member.flag_bits & 1:
        raise _Refused("encrypted: unpack it first")
    if member.file_size > MOST_BYTES or (
        member.file_size > 1 << 20 and member.file_size > MOST_RATIO * max(1, member.compress_size)
    ):
        raise _Refused(f"unpacks to {member.file_size:,} bytes: refused")
    try:
        with archive.open(member) as stream:
            data = stream.read(MOST_BYTES + 1)
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as cause:
        raise _Refused(f"cannot be unpacked: {cause}") from None
    if len(data) > MOST_BYTES:
        raise _Refused(f"unpacks to more than {MOST_BYTES >> 20} MiB: refused")
    return data
