"""What `oms doctor` looks at is a table: each row is one question about what was read, with why it matters."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, Protocol, TypeVar

NAMED_MAX = 5


class Diagnosis(StrEnum):
    """The outcomes of a check."""

    WELL = "well"
    WRONG = "wrong"
    UNSEEN = "not looked at"


@dataclass(frozen=True)
class Observation:
    """What a check saw, in words. `next` is what to type, if it is not what the check usually says."""

    diagnosis: Diagnosis
    found: str
    next: str = ""


@dataclass(frozen=True)
class CheckResult:
    """One line of the report. `why` says why it matters, and `next` what to type; both are empty if all is well."""

    section: str
    check: str
    diagnosis: Diagnosis
    found: str
    why: str = ""
    next: str = ""


class Readings(Protocol):
    """What was read of one server."""

    @property
    def unread(self) -> Mapping[str, Observation]:
        """Part of the readings that is missing -> why, and what would help."""


R_contra = TypeVar("R_contra", bound=Readings, contravariant=True)


@dataclass(frozen=True)
class HealthCheck(Generic[R_contra]):
    """A question about what was read of a server. `look` answers it, unless the part that it `needs` is missing."""

    name: str
    look: Callable[[R_contra], Observation]
    why: str
    next: str
    needs: str = ""

    def result(self, section: str, readings: R_contra) -> CheckResult:
        """Answer the question."""
        seen = readings.unread.get(self.needs) or self.look(readings)
        if seen.diagnosis is Diagnosis.WELL:
            return CheckResult(section, self.name, seen.diagnosis, seen.found)
        return CheckResult(section, self.name, seen.diagnosis, seen.found, self.why, seen.next or self.next)


def well(found: str) -> Observation:
    """Return that all is well."""
    return Observation(Diagnosis.WELL, found)


def wrong(found: str, next: str = "") -> Observation:
    """Return that something is wrong."""
    return Observation(Diagnosis.WRONG, found, next)


def unseen(found: str, next: str = "") -> Observation:
    """Return that nobody could look, with the reason."""
    return Observation(Diagnosis.UNSEEN, found, next)


def none_of(faults: Sequence[str], fault: str, fine: str) -> Observation:
    """Return that some have the `fault`, naming the first of them, or that all is well in the words `fine`."""
    return wrong(f"{fault}: {named(faults)}") if faults else well(fine)


def named(names: Iterable[str]) -> str:
    """Return the first names, and how many more there are."""
    first, rest = (every := list(names))[:NAMED_MAX], len(every) - NAMED_MAX
    return ", ".join(first) + (f" and {rest} more" if rest > 0 else "")


def lasting(seconds: float) -> str:
    """Return a time in the unit in which a person reads it."""
    for unit, length in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"
