"""Which acknowledgements AMQP needs for deliveries that are done or not: one for an unbroken run of those that are."""

from collections.abc import Iterator, Sequence


def frames(tags: Sequence[tuple[int, bool]], settled: int) -> Iterator[tuple[int, bool, bool]]:
    """Yield (tag, multiple, done) for tags in ascending order: one ack for an unbroken run, a reject for each not done.

    Every tag up to `settled` is settled already. Above a gap each tag is settled alone, because a multiple ack would
    also settle the message in the gap.
    """
    run = 0
    for place, (tag, done) in enumerate(tags):
        unbroken = tag == settled + 1 + place
        run = run + 1 if done and unbroken else 0
        if not (done and unbroken):
            yield tag, False, done
        elif place + 1 == len(tags) or tags[place + 1] != (tag + 1, True):
            yield tag, run > 1, True


def settled_through(tags: Sequence[tuple[int, bool]], settled: int) -> int:
    """The last tag before the first gap, once these tags are settled too."""
    for tag, _ in tags:
        if tag != settled + 1:
            break
        settled = tag
    return settled
