"""The acknowledgements and rejects that settle a batch."""

import pytest

from outbox.acknowledgements import frames, settled_through

YES, NO = True, False

TABLE = [
    ("nothing", [], 0, []),
    ("one message is acknowledged alone", [(1, YES)], 0, [(1, False, YES)]),
    ("an unbroken run is one frame", [(1, YES), (2, YES), (3, YES)], 0, [(3, True, YES)]),
    ("it goes on where the last batch ended", [(8, YES), (9, YES)], 7, [(9, True, YES)]),
    ("a message not done is rejected by itself", [(1, NO)], 0, [(1, False, NO)]),
    (
        "and parts the run",
        [(1, YES), (2, YES), (3, NO), (4, YES), (5, YES)],
        0,
        [(2, True, YES), (3, False, NO), (5, True, YES)],
    ),
    ("a run of one is no multiple", [(1, NO), (2, YES), (3, NO)], 0, [(1, False, NO), (2, False, YES), (3, False, NO)]),
    ("above a gap each is acknowledged alone", [(2, YES), (3, YES)], 0, [(2, False, YES), (3, False, YES)]),
    ("a gap ends the run before it", [(1, YES), (2, YES), (4, YES)], 0, [(2, True, YES), (4, False, YES)]),
]


@pytest.mark.parametrize(("case", "tags", "settled", "expected"), TABLE, ids=[row[0] for row in TABLE])
def test_frames(case: str, tags: list[tuple[int, bool]], settled: int, expected: list[tuple[int, bool, bool]]) -> None:
    assert list(frames(tags, settled)) == expected


@pytest.mark.parametrize("outstanding", range(1, 6))
def test_a_multiple_acknowledgement_never_covers_a_message_of_no_batch(outstanding: int) -> None:
    tags = [(tag, tag % 4 != 0) for tag in range(1, 9) if tag != outstanding]
    settled: set[int] = set()
    for tag, multiple, _ in frames(tags, 0):
        settled |= set(range(1, tag + 1)) if multiple else {tag}
    assert settled == {tag for tag, _ in tags}


def test_a_channel_is_settled_up_to_its_first_gap() -> None:
    assert settled_through([(1, YES), (2, NO), (4, YES)], 0) == 2
    assert settled_through([(6, YES)], 4) == 4
