"""Every time on the wire is RFC 3339 with an offset, every date has dashes, and nothing else passes for one."""

from datetime import date, datetime
from typing import Any

import orjson
import pytest
from pydantic import TypeAdapter, ValidationError

from messages.base import Day, Moment, Part, moment_of
from messages.registry import MODELS

MOMENT = TypeAdapter[datetime](Moment)
DAY = TypeAdapter[date](Day)

TIMES = {
    "2026-01-01T00:00:00Z": "2026-01-01T00:00:00+00:00",
    "2026-01-01t00:00:00z": "2026-01-01T00:00:00+00:00",
    "2026-01-01T00:00:00.5Z": "2026-01-01T00:00:00.500000+00:00",
    "2026-01-01T00:00:00.123456789Z": "2026-01-01T00:00:00.123456+00:00",
    "2026-01-01T08:00:00+08:00": "2026-01-01T08:00:00+08:00",
    "2026-01-01T00:00:00-00:00": "2026-01-01T00:00:00+00:00",
    "2024-02-29T23:59:59-23:59": "2024-02-29T23:59:59-23:59",
}
NO_TIMES: list[tuple[str, Any, str]] = [
    ("a date without dashes", "20270101", "time_format"),
    ("seconds since 1970", "1799999999", "time_format"),
    ("seconds with a fraction", "1799999999.5", "time_format"),
    ("a number", 1799999999, "time_format"),
    ("null", None, "time_format"),
    ("nothing", "", "time_format"),
    ("a date", "2026-01-01", "time_format"),
    ("no offset", "2026-01-01T00:00:00", "time_format"),
    ("an offset without a colon", "2026-01-01T00:00:00+0800", "time_format"),
    ("an offset without minutes", "2026-01-01T00:00:00+08", "time_format"),
    ("an offset of a day", "2026-01-01T00:00:00+24:00", "time_format"),
    ("a blank for T", "2026-01-01 00:00:00Z", "time_format"),
    ("an underscore for T", "2026-01-01_00:00:00Z", "time_format"),
    ("no seconds", "2026-01-01T00:00Z", "time_format"),
    ("24:00", "2026-01-01T24:00:00Z", "time_format"),
    ("a leap second", "2026-12-31T23:59:60Z", "time_format"),
    ("a comma before the fraction", "2026-01-01T00:00:00,5Z", "time_format"),
    ("a fraction of ten digits", "2026-01-01T00:00:00.1234567891Z", "time_format"),
    ("a point without a fraction", "2026-01-01T00:00:00.Z", "time_format"),
    ("the basic format", "20260101T000000Z", "time_format"),
    ("a week", "2026-W01-1T00:00:00Z", "time_format"),
    ("a line break after it", "2026-01-01T00:00:00Z\n", "time_format"),
    ("a blank before it", " 2026-01-01T00:00:00Z", "time_format"),
    ("digits of another script", "２026-01-01T00:00:00Z", "time_format"),
    ("month 13", "2026-13-01T00:00:00Z", "time_format"),
    ("day 0", "2026-01-00T00:00:00Z", "time_format"),
    ("30 February", "2026-02-30T00:00:00Z", "datetime_from_date_parsing"),
    ("before 1970", "1969-12-31T23:59:59Z", "greater_than_equal"),
    ("from 2200 on", "2200-01-01T00:00:00Z", "less_than"),
]
NO_DAYS: list[tuple[str, Any, str]] = [
    ("no dashes", "20270101", "date_format"),
    ("seconds since 1970 at midnight", "1799971200", "date_format"),
    ("a number", 1799971200, "date_format"),
    ("midnight", "2026-01-01T00:00:00Z", "date_format"),
    ("one digit", "2026-1-1", "date_format"),
    ("slashes", "2026/01/01", "date_format"),
    ("30 February", "2026-02-30", "date_from_datetime_parsing"),
    ("before 2000", "1999-12-31", "greater_than_equal"),
]


def error_of(adapter: TypeAdapter[Any], given: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        adapter.validate_json(orjson.dumps(given))
    return str(caught.value.errors()[0]["type"])


@pytest.mark.parametrize("text", TIMES)
def test_a_time_of_rfc_3339_is_read(text: str) -> None:
    assert MOMENT.validate_json(orjson.dumps(text)) == datetime.fromisoformat(TIMES[text])
    assert moment_of(text) == datetime.fromisoformat(TIMES[text])


@pytest.mark.parametrize(("case", "given", "error"), NO_TIMES, ids=[row[0] for row in NO_TIMES])
def test_anything_else_is_no_time(case: str, given: Any, error: str) -> None:
    assert error_of(MOMENT, given) == error
    if isinstance(given, str):
        assert moment_of(given) is None


def test_a_date_has_dashes() -> None:
    assert DAY.validate_json('"2026-11-28"') == date(2026, 11, 28)


@pytest.mark.parametrize(("case", "given", "error"), NO_DAYS, ids=[row[0] for row in NO_DAYS])
def test_anything_else_is_no_date(case: str, given: Any, error: str) -> None:
    assert error_of(DAY, given) == error


def fields_of(schema: Any, path: str = "$") -> list[str]:
    """The paths of every time and date in a core schema that is not one of ours."""
    if isinstance(schema, dict):
        if schema.get("type") == "json-or-python":
            return fields_of(schema["json_schema"], path)
        if schema.get("type") == "chain":  # a pattern comes before the parser
            return []
        own = [path] if schema.get("type") in ("datetime", "date", "time", "timedelta") else []
        return own + [found for key, value in schema.items() for found in fields_of(value, f"{path}.{key}")]
    if isinstance(schema, list):
        return [found for place, value in enumerate(schema) for found in fields_of(value, f"{path}[{place}]")]
    return []


def test_no_message_has_a_time_or_date_that_is_parsed_without_a_pattern() -> None:
    found = {type_: fields_of(model.__pydantic_core_schema__) for type_, model in MODELS.items()}
    assert {type_: fields for type_, fields in found.items() if fields} == {}


def test_a_message_names_the_path_of_what_is_no_time() -> None:
    class Promotion(Part):
        starts_at: Moment

    with pytest.raises(ValidationError) as caught:
        Promotion.model_validate_json(b'{"starts_at": "20270101"}')
    (error,) = caught.value.errors()
    assert (error["loc"], error["type"]) == (("starts_at",), "time_format")
    assert "20270101" not in error["msg"]
