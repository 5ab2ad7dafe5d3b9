"""Whatever the bus does, every offset goes out once and in order."""

from hypothesis import given
from hypothesis import strategies as st

from kernel.bus import Publication, StreamPosition
from messaging.delivery.ordering import EARLY, Ordering

EPOCH = "x7Qa"


def publication(offset: int) -> Publication:
    return Publication("c", b"%d" % offset, StreamPosition(offset, EPOCH))


def offsets(publications: list[Publication]) -> list[int]:
    return [each.position.offset for each in publications if each.position]


@given(
    st.integers(0, 5),
    st.lists(st.one_of(st.integers(1, 40), st.just("read"), st.integers(41, 60)), max_size=200),
)
def test_loss_repetition_and_overtaking_still_give_every_offset_once_and_in_order(start, arrivals):
    """Integers are publications in the order they happen to arrive; "read" reads the log."""
    ordering = Ordering(StreamPosition(start, EPOCH))
    went_out: list[int] = []
    written = start

    def read_the_log() -> None:
        # Page by page, as the hub does.
        while ordering.behind:
            page = range(ordering.offset + 1, min(ordering.offset + 7, written) + 1)
            for offset in page:
                went_out.extend(offsets(ordering.take(publication(offset))))
            if not page:
                ordering.nothing_more()

    for arrival in arrivals:
        if arrival == "read":
            read_the_log()
        else:
            # What arrives was committed before, and with it all that came before it.
            written = max(written, arrival)
            went_out.extend(offsets(ordering.take(publication(arrival))))
    ordering.heard_of(written)
    read_the_log()

    assert went_out == list(range(start + 1, written + 1))


def test_a_publication_that_overtook_waits_for_the_one_before_it():
    ordering = Ordering(StreamPosition(0, EPOCH))

    assert ordering.take(publication(2)) == []
    assert ordering.behind
    assert offsets(ordering.take(publication(1))) == [1, 2]
    assert not ordering.behind


def test_a_repetition_is_dropped():
    ordering = Ordering(StreamPosition(7, EPOCH))

    assert ordering.take(publication(7)) == []
    assert ordering.take(publication(3)) == []
    assert ordering.position == StreamPosition(7, EPOCH)


def test_only_so_many_early_publications_are_kept_and_the_log_has_the_rest():
    ordering = Ordering(StreamPosition(0, EPOCH))
    for offset in range(2, EARLY + 20):
        assert ordering.take(publication(offset)) == []

    assert offsets(ordering.take(publication(1))) == list(range(1, EARLY + 2))
    assert ordering.behind


def test_hearsay_that_the_log_does_not_confirm_is_forgotten():
    ordering = Ordering(StreamPosition(4, EPOCH))
    ordering.heard_of(9)

    ordering.nothing_more()

    assert not ordering.behind
    assert offsets(ordering.take(publication(5))) == [5]
