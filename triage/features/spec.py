"""Which columns of a record become which features. A spec is plain data: it is stored in the model folder."""

from __future__ import annotations

from msgspec import Struct

OPENED_HOUR, OPENED_DAY = "opened.hour", "opened.weekday"
WEEK_HOUR, IN_HOURS = "opened.week_hour", "opened.in_hours"
AGE, WORDS = "age.hours", "text.words"
AGE_STEP, OPEN_HOURS, NOW_WEEK_HOUR = "age.step", "age.open_hours", "now.week_hour"
CHANGES, PEOPLE, QUIET = "past.changes", "past.people", "past.quiet_hours"
LATEST = "past.latest_message"
"""A text: what the customer wrote last, read where contacts count."""
CONTACTS_IN, CONTACTS_OUT, WAITING = "past.contacts_in", "past.contacts_out", "past.waiting_hours"


class FeatureSpec(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """
    Columns by the kind of feature they become. A name is a field of the record, ours or the CRM's.

    Attributes:
        texts: Free text, joined in this order.
        categories: Levels; numbers and booleans are spelled the same way wherever they come from.
        numbers: Finite floats; what is no number is missing.
        instants: Further dates, as hours between them and the opening.
        crosses: Pairs of *categories* that also count together, as one level.
        clock: Whether the local hour and weekday of the opening count, and whether it lies in open hours.
        age: Whether the hours since the opening count; False for a model that scores at opening only.
        ages: Hours since the opening from which on levels are told apart from those of younger records, ascending: what
            a level says of a record that is still open after three days is not what it said at the opening.
        past: Fields whose changes so far are counted, and whose present value is a category.
        contacts: Whether messages so far are counted, and `LATEST` may be one of *texts*.
        zone: IANA zone of the local hour.
        open_days: Weekdays with open hours, Monday is 0.
        opens: First open minute of such a day.
        closes: First minute after it closed.
    """

    texts: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()
    instants: tuple[str, ...] = ()
    crosses: tuple[tuple[str, str], ...] = ()
    clock: bool = False
    age: bool = False
    ages: tuple[float, ...] = ()
    past: tuple[str, ...] = ()
    contacts: bool = False
    zone: str = "UTC"
    open_days: tuple[int, ...] = (0, 1, 2, 3, 4)
    opens: int = 8 * 60
    closes: int = 18 * 60

    @property
    def plain_categories(self) -> tuple[str, ...]:
        """The categories that are read from the record or its opening, without the age's step and crosses."""
        clock = (OPENED_HOUR, OPENED_DAY) if self.clock else ()
        return (*self.categories, *clock, *(f"now.{name}" for name in self.past))

    @property
    def category_names(self) -> tuple[str, ...]:
        """Names of all categories, in the order of a feature table."""
        step = (AGE_STEP,) if self.ages else ()
        return (*self.plain_categories, *step, *(f"{one} + {other}" for one, other in self.crosses))

    @property
    def number_names(self) -> tuple[str, ...]:
        """Names of all numbers, in the order of a feature table's columns."""
        names = [*self.numbers, *(f"{name}.hours_before" for name in self.instants)]
        names += [WEEK_HOUR, IN_HOURS] if self.clock else []
        names += [AGE] if self.age else []
        names += [OPEN_HOURS, NOW_WEEK_HOUR] if self.ages and self.clock else []
        names += [WORDS] if self.texts else []
        if self.past:
            names += [CHANGES, PEOPLE, QUIET]
            names += [f"past.{name}.changes" for name in self.past] + [f"past.{name}.returns" for name in self.past]
        names += [CONTACTS_IN, CONTACTS_OUT, WAITING] if self.contacts else []
        return tuple(names)

    @property
    def columns(self) -> tuple[str, ...]:
        """Every field of the record that is read."""
        return tuple(dict.fromkeys((*self.texts, *self.categories, *self.numbers, *self.instants)))
