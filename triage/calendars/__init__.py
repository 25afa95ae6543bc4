"""
Business hours: definitions in, calendars out that add, subtract and measure open time and explain every millisecond.

Read `definition.py` first (what a calendar is told), then `plan.py` (which local hours that means), then
`calendar.py` (the same in UTC, with running sums). Not here: the clock, milestones, and who works when.
"""

from triage.calendars.calendar import FIRST, LAST, Calendar, compile_calendar
from triage.calendars.check import Problem, check_definition
from triage.calendars.definition import (
    CalendarDefinition,
    Holiday,
    PublicHolidays,
    Recurrence,
    read_definition,
    read_salesforce_holiday,
)
from triage.calendars.ledger import Stretch
from triage.calendars.wall_time import WallTime

Hours = Calendar | WallTime
"""What a clock may run in."""

__all__ = [
    "FIRST",
    "LAST",
    "Calendar",
    "CalendarDefinition",
    "Holiday",
    "Hours",
    "Problem",
    "PublicHolidays",
    "Recurrence",
    "Stretch",
    "WallTime",
    "check_definition",
    "compile_calendar",
    "read_definition",
    "read_salesforce_holiday",
]
