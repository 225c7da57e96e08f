"""The journal gives back what was written, cuts what was not finished, and finds every flipped byte."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridtokenx.engine.journal import Journal, JournalDamaged, Kind, TornTail, frame, read_journal


def wires(journal: Journal) -> list[bytes]:
    return [batch.wire for batch in journal.recovered]


def only_segment(folder: Path) -> Path:
    (path,) = folder.glob("*.journal")
    return path


def written(folder: Path, *batches: bytes) -> Path:
    journal = Journal(folder)
    for batch in batches:
        journal.append([batch])
    journal.close()
    return only_segment(folder)


@given(groups=st.lists(st.lists(st.binary(max_size=300), max_size=4), max_size=5))
def test_batches_come_back_in_order_with_their_numbers(tmp_path_factory, groups) -> None:
    folder = tmp_path_factory.mktemp("journal")
    journal = Journal(folder)
    numbers = [number for group in groups for number in journal.append(group)]
    journal.close()
    reopened = Journal(folder)
    assert wires(reopened) == [wire for group in groups for wire in group]
    assert [batch.number for batch in reopened.recovered] == numbers == list(range(1, len(numbers) + 1))
    assert reopened.next_number == len(numbers) + 1
    assert reopened.torn is None
    reopened.close()


def test_an_entry_cut_anywhere_is_cut_off_and_the_ones_before_it_stay(tmp_path) -> None:
    path = written(tmp_path, b"first" * 5, b"second" * 5)
    whole = path.read_bytes()
    entries = list(read_journal(tmp_path))
    last = entries[-1].offset
    for length in range(last, len(whole)):
        path.write_bytes(whole[:length])
        journal = Journal(tmp_path)
        assert wires(journal) == [b"first" * 5]
        expected = None if length == last else TornTail(path, last, length - last)
        assert journal.torn == expected
        assert path.stat().st_size == last
        # And it goes on as if nothing had happened.
        journal.append([b"third"])
        journal.close()
        again = Journal(tmp_path)
        assert wires(again) == [b"first" * 5, b"third"]
        again.close()


def test_zeros_at_the_end_are_an_unfinished_write(tmp_path) -> None:
    path = written(tmp_path, b"first")
    whole = path.read_bytes()
    path.write_bytes(whole + bytes(4_096))
    journal = Journal(tmp_path)
    assert wires(journal) == [b"first"]
    assert journal.torn == TornTail(path, len(whole), 4_096)
    journal.close()


def test_every_flipped_byte_is_found_and_named(tmp_path) -> None:
    path = written(tmp_path, b"first batch", b"second batch")
    whole = path.read_bytes()
    starts = [entry.offset for entry in read_journal(tmp_path)]
    for position in range(len(whole)):
        damaged = bytearray(whole)
        damaged[position] ^= 1 << position % 8
        path.write_bytes(damaged)
        with pytest.raises(JournalDamaged) as caught:
            Journal(tmp_path)
        assert caught.value.path == path
        assert caught.value.offset == max(start for start in starts if start <= position)
        assert str(path) in str(caught.value)
        assert str(caught.value.offset) in str(caught.value)
        assert path.read_bytes() == damaged, "nothing is repaired that is not an unfinished write"


def test_entries_that_changed_places_are_found(tmp_path) -> None:
    path = written(tmp_path, b"one", b"two")
    head, one, two = list(read_journal(tmp_path))
    whole = path.read_bytes()
    path.write_bytes(whole[: one.offset] + whole[two.offset :] + whole[one.offset : two.offset])
    with pytest.raises(JournalDamaged):
        Journal(tmp_path)
    assert head.kind is Kind.SEGMENT


def test_the_last_marker_counts(tmp_path) -> None:
    journal = Journal(tmp_path)
    assert journal.marker is None
    journal.mark(1, b"\x01" * 32)
    journal.append([b"batch"])
    journal.mark(2, b"\x02" * 32)
    journal.close()
    reopened = Journal(tmp_path)
    assert (reopened.marker.height, reopened.marker.app_hash) == (2, b"\x02" * 32)
    reopened.close()


def test_segments_go_from_the_oldest_on_when_their_batches_are_settled(tmp_path) -> None:
    journal = Journal(tmp_path, segment_bytes_max=100)
    numbers = [journal.append([bytes(100)])[0] for _ in range(4)]
    journal.mark(9, b"\x09" * 32)
    assert len(list(tmp_path.glob("*.journal"))) == 4
    journal.resolve([numbers[1]])
    assert len(list(tmp_path.glob("*.journal"))) == 4, "the first is still needed"
    journal.resolve([numbers[0]])
    assert len(list(tmp_path.glob("*.journal"))) == 2
    journal.resolve(numbers[2:])
    assert len(list(tmp_path.glob("*.journal"))) == 1, "one always stays"
    journal.append([b"new"])
    journal.close()
    reopened = Journal(tmp_path)
    assert reopened.marker.height == 9, "what is gone left its marker behind"
    assert reopened.next_number == 6, "and its numbers are not used again"
    reopened.close()


def test_a_segment_missing_between_others_is_damage(tmp_path) -> None:
    journal = Journal(tmp_path, segment_bytes_max=100)
    for _ in range(3):
        journal.append([bytes(100)])
    journal.close()
    sorted(tmp_path.glob("*.journal"))[1].unlink()
    with pytest.raises(JournalDamaged, match="missing"):
        Journal(tmp_path)


def test_only_the_last_segment_may_end_unfinished(tmp_path) -> None:
    journal = Journal(tmp_path, segment_bytes_max=100)
    for _ in range(2):
        journal.append([bytes(100)])
    journal.close()
    first = min(tmp_path.glob("*.journal"))
    os.truncate(first, first.stat().st_size - 1)
    with pytest.raises(JournalDamaged, match="cut short"):
        Journal(tmp_path)


@pytest.mark.parametrize("length", [0, 10])
def test_a_segment_that_was_just_created_is_begun_again(tmp_path, length) -> None:
    journal = Journal(tmp_path, segment_bytes_max=100)
    journal.append([bytes(100)])
    journal.mark(3, b"\x03" * 32)
    journal.close()
    new = tmp_path / "0000000000000002.journal"
    new.write_bytes(frame(2, 0, Kind.SEGMENT, b"head")[:length])
    reopened = Journal(tmp_path, segment_bytes_max=100)
    assert wires(reopened) == [bytes(100)]
    assert reopened.marker.height == 3
    assert reopened.append([b"more"]) == [2]
    reopened.close()
    again = Journal(tmp_path)
    assert wires(again) == [bytes(100), b"more"]
    again.close()


def test_a_sound_entry_with_senseless_content_is_damage(tmp_path) -> None:
    path = written(tmp_path, b"batch")
    whole = path.read_bytes()
    path.write_bytes(whole + frame(1, len(whole), Kind.BATCH, b"no batch"))
    with pytest.raises(JournalDamaged) as caught:
        Journal(tmp_path)
    assert caught.value.offset == len(whole)
