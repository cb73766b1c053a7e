"""Conditions and assignments on the body of a message."""

from typing import Any

import pytest

from scripts.commands.body_paths import BodyPathError, assign, changed_paths, parse_condition

BODY: dict[str, Any] = {
    "user_id": "u1",
    "coupon_id": None,
    "gift": True,
    "address": {"country": "GB", "detail": "12 St James's Square"},
    "items": [{"sku_id": "tea", "qty": 2}, {"sku_id": "cup", "qty": 10}],
}
CONDITIONS = {
    "user_id=u1": True,
    "user_id==u2": False,
    "user_id != u2": True,
    "address.country = 'GB'": True,
    "address.detail ~ st james": True,
    "items.0.qty>2": False,
    "items.0.qty>=2": True,
    "items.*.qty>9": True,
    "items.*.sku_id=cup": True,
    "items.7.qty=1": False,
    "coupon_id": False,
    "gift": True,
    "gift=true": True,
    "gift>0": False,
    "missing.name": False,
    "$.items.1.qty<11": True,
}


def test_a_condition_holds_for_one_of_the_places_that_it_names() -> None:
    assert {text: parse_condition(text).holds(BODY) for text in CONDITIONS} == CONDITIONS


def test_a_condition_or_assignment_without_sense_is_an_error() -> None:
    for text in ("", "a b", "a..b=1", "qty>many", "=1"):
        with pytest.raises(BodyPathError):
            parse_condition(text)
    for text in ("qty", "items.7.qty=1", "items.x=1", "nowhere.at.all=1", "user_id.deep=1", "a..b=1"):
        with pytest.raises(BodyPathError):
            assign({"items": [{"qty": 1}], "user_id": "u1"}, text)


def test_an_assignment_sets_json_or_text_and_removes() -> None:
    body = {"qty": 1, "items": [{"sku_id": "tea"}], "old": 1, "note": ""}
    for text in ("qty=2", "items.0.sku_id=00017x", "items.0.new=null", "old=", "note=a=b", "amount=1.50"):
        assign(body, text)
    assert body == {"qty": 2, "items": [{"sku_id": "00017x", "new": None}], "note": "a=b", "amount": "1.50"}


def test_where_two_bodies_differ_is_named_without_their_values() -> None:
    before, after = {"a": 1, "b": [1, 2], "c": {"d": 1}}, {"a": 1, "b": [1, 3], "c": {}, "e": 1}
    assert changed_paths(before, after) == ["b.1", "c.d", "e"]
    assert changed_paths(1, 2) == ["the whole body"]
    assert changed_paths({"b": [1]}, {"b": [1, 2]}) == ["b"]
    assert changed_paths({"qty": 1.0, "on": True, "x": None}, {"qty": 1, "on": 1}) == ["qty", "on", "x"], "as JSON"
    assert changed_paths({"x": None, "y": [0]}, {"x": None, "y": [0]}) == []
