"""`oms codes` lists the codes with their numbers, and needs no server."""

from messages.base import MessageCode
from tests.scripts.oms_command import Oms
from workers.domain.codes import Code


def test_every_code_is_listed_once_with_its_number_its_level_and_its_meaning(oms: Oms) -> None:
    found = oms("codes", "-o", "json").json
    assert {row["code"]: row["number"] for row in found} == {str(c): c.number for c in (*Code, *MessageCode)}
    levels = {row["code"]: row["level"] for row in found}
    assert (levels["ORDER_HELD"], levels["PAY_DISPUTED"]) == ("rejection", "alert")
    assert levels["PAY_AMOUNT_MISMATCH"] == "rejection, alert"


def test_a_code_is_found_by_its_text_or_its_number_and_an_unknown_one_is_an_error(oms: Oms) -> None:
    number = str(Code.ORDER_HELD.number)
    assert oms("codes", "ORDER_HELD").out == oms("codes", number).out
    assert number in oms("codes", "ORDER_HELD").out
    result = oms("codes", "ORDER_HELD", "ORDER_LOST")
    assert (result.code, "no code is ORDER_LOST" in result.err) == (2, True)
    assert "next: oms codes ORDER_HELD" in oms("codes", "ORDR_HELD").err
