"""The instants of an export's rows: what their text lacks is lent by the column of creation of their object."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from triage.domain.schema import ObjectSpec
from triage.errors import IntakeError, NaiveTimeError
from triage.intake.instants import read_instant

ORDERS = ("DMY", "MDY", "YMD")


class Stamp(Struct, frozen=True):
    """How the instants of one object's files read: the zone and date order that the field map gives its creation."""

    object: str = ""
    column: str = "CreatedDate"
    field: str = ""
    zone: str = ""
    date_order: str = ""

    @classmethod
    def of(cls, object_name: str, specs: Mapping[str, ObjectSpec]) -> Stamp:
        """Return that of *object_name*: without zone and order where *specs* do not map the column of creation."""
        spec = specs.get(object_name)
        if spec is None:
            return cls(object_name)
        known = spec.by_source.get(spec.created_field.casefold())
        if known is None:
            return cls(object_name, spec.created_field)
        return cls(object_name, spec.created_field, known.name, known.zone, known.date_order)

    def read(self, row: Mapping[str, str], column: str) -> tuple[int, bool]:
        """
        Return the instant in *column* of *row* in ms UTC, and whether its text alone would not have said it.

        Raises:
            IntakeError: nothing there, or no instant; where zone or date order are missing, the key to set is named.
        """
        text = row.get(column, "")
        if not text.strip():
            raise IntakeError(f"{column} is empty")
        try:
            return read_instant(text), False
        except IntakeError:
            pass
        try:
            return read_instant(text, zone=self.zone, date_order=self.date_order), True
        except IntakeError as fault:
            raise IntakeError(f"{column}: {fault.reason}{self._key(text, fault)}") from fault

    def _key(self, text: str, fault: IntakeError) -> str:
        lacking = ""
        if isinstance(fault, NaiveTimeError):
            lacking = "zone"
        elif not self.date_order and any(_reads(text, order) for order in ORDERS):
            lacking = "date_order"
        if not lacking or not self.object:
            return ""
        if not self.field:
            wanted = f"{{from: {self.column}, type: datetime, {lacking}: ..}}"
            return f" (in the policy: objects.{self.object}.fields.opened_at: {wanted})"
        return f" (in the policy: objects.{self.object}.fields.{self.field}.{lacking})"


def _reads(text: str, date_order: str) -> bool:
    try:
        read_instant(text, zone="UTC", date_order=date_order)
    except IntakeError:
        return False
    return True
