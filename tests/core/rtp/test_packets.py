import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vser_stream.core.rtp.packets import RtpPacket, Sequencer, parsed, ticks_between


def packet(sequence: int) -> RtpPacket:
    return RtpPacket(
        8, marker=False, sequence=sequence % 65_536, timestamp=0, payload=bytes([sequence % 256])
    )


def numbers(packets: list[RtpPacket]) -> list[int]:
    return [one.sequence for one in packets]


def test_header_extension_and_padding_are_no_audio() -> None:
    contributors, extension = bytes(8), bytes([0, 0, 0, 1]) + bytes(4)
    data = bytes([0xB2, 0x88, 0, 7, 0, 0, 1, 0, 0, 0, 0, 9]) + contributors + extension + b"audio" + b"\0\0\3"
    assert parsed(data) == RtpPacket(8, marker=True, sequence=7, timestamp=256, payload=b"audio")


@given(st.binary(max_size=60))
def test_whatever_comes_is_a_packet_or_none(data: bytes) -> None:
    one = parsed(data)
    assert one is None or len(one.payload) <= len(data) - 12


@given(st.integers(0, 2**32 - 1), st.integers(-(2**31), 2**31 - 1))
def test_ticks_go_the_shorter_way_round(earlier: int, ticks: int) -> None:
    assert ticks_between(earlier, (earlier + ticks) % 2**32) == ticks


@given(st.integers(0, 65_535), st.randoms(use_true_random=False), st.integers(1, 5))
def test_packets_out_of_order_or_doubled_come_once_and_in_order(first: int, dice: object, reach: int) -> None:
    sequence = list(range(first, first + 100))
    shuffled = [sequence[0], *sorted(sequence[1:], key=lambda n: n + dice.uniform(0, reach))]  # type: ignore[attr-defined]
    doubled = [n for n in shuffled for _ in range(2)]
    sequencer = Sequencer()
    assert numbers([one for n in doubled for one in sequencer.feed(packet(n))]) == [
        n % 65_536 for n in sequence
    ]


def test_a_lost_packet_is_not_waited_for_for_ever() -> None:
    sequencer = Sequencer()
    arrived = [n for n in range(40) if n not in {10, 11, 25}]
    out = numbers([one for n in arrived for one in sequencer.feed(packet(n))])
    assert out == arrived[: len(out)]
    assert len(out) >= len(arrived) - Sequencer.held_at_most


@pytest.mark.parametrize("most", [2, 4, 16, 100, 65_536])
def test_a_camera_that_numbers_at_random_is_heard_all_the_same(most: int) -> None:
    for seed in range(50):
        dice = random.Random(seed)  # noqa: S311 - the same numbers each time
        sequencer = Sequencer()
        out = [one for _ in range(600) for one in sequencer.feed(packet(dice.randrange(most)))]
        assert len(out) >= 600 * 0.4 - 20


def test_a_camera_that_does_not_number_is_heard() -> None:
    sequencer = Sequencer()
    out = [one for _ in range(100) for one in sequencer.feed(packet(5))]
    assert len(out) >= 40


def test_a_camera_that_begins_anew_is_heard_after_a_moment() -> None:
    sequencer = Sequencer()
    out = numbers([one for n in [*range(1000, 1050), *range(100)] for one in sequencer.feed(packet(n))])
    assert out[:50] == list(range(1000, 1050))
    assert out[50:] == list(range(Sequencer.held_at_most, 100))
