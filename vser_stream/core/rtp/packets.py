"""RTP packets (RFC 3550) and the order of them."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["RtpPacket", "Sequencer", "parsed", "ticks_between"]

_HEADER = 12
"""Length of the fixed header (bytes)."""

_VERSION = 2
_WRAP = 1 << 16
_LATE = 1 << 15
_MISSING = 50
_NONSENSE = 0.6
"""More than the half that is missing where a line doubles each packet."""


@dataclass(frozen=True, slots=True)
class RtpPacket:
    """One packet."""

    payload_type: int
    marker: bool
    sequence: int
    timestamp: int
    """In ticks of the track's clock, modulo 2**32."""

    payload: bytes


def parsed(data: bytes) -> RtpPacket | None:
    """Read a packet; None if it is none."""
    if len(data) < _HEADER:
        return None
    flags, kind = data[:2]
    start = _HEADER + 4 * (flags & 0x0F)
    if flags & 0x10:  # an extension: four bytes, and as many words as they say
        start += 4 + 4 * int.from_bytes(data[start + 2 : start + 4])
    end = len(data) - (data[-1] if flags & 0x20 else 0)
    if flags >> 6 != _VERSION or start > end:
        return None
    sequence, timestamp = int.from_bytes(data[2:4]), int.from_bytes(data[4:8])
    return RtpPacket(kind & 0x7F, bool(kind & 0x80), sequence, timestamp, data[start:end])


def ticks_between(earlier: int, later: int) -> int:
    """Ticks from one timestamp to another, the shorter way round."""
    return (later - earlier + (1 << 31)) % (1 << 32) - (1 << 31)


class Sequencer:
    """Puts packets that came over UDP in order, and drops those that came twice."""

    held_at_most = 8
    """Packets that come while a missing one is waited for: 0.16 s of the usual 20 ms."""

    def __init__(self) -> None:
        self._next: int | None = None
        self._held: dict[int, RtpPacket] = {}
        self._waited = self._refused = 0
        self._fed = self._given = 0

    def feed(self, packet: RtpPacket) -> list[RtpPacket]:
        """Take a packet as it came; return what is in order now."""
        self._fed += 1
        ready = [packet] if self._is_nonsense() else self._sorted(packet)
        self._given += len(ready)
        return ready

    def _is_nonsense(self) -> bool:
        """Whether so many packets seem doubled or late that the camera's numbers cannot be true."""
        missing = self._fed - self._given
        return missing > _MISSING and missing > _NONSENSE * self._fed

    def _sorted(self, packet: RtpPacket) -> list[RtpPacket]:
        if self._next is None:
            self._next = packet.sequence
        if (packet.sequence - self._next) % _WRAP >= _LATE:
            self._refused += 1
            if self._refused <= self.held_at_most:
                return []
            ready = self._released()  # it numbers anew
            self._next = packet.sequence
            return [*ready, *self._sorted(packet)]
        self._refused = 0
        self._held[packet.sequence] = packet
        ready = self._consecutive()
        self._waited = 0 if ready else self._waited + 1
        if self._waited > self.held_at_most:
            self._waited, self._next = 0, min(self._held, key=self._distance)
            ready = self._consecutive()
        return ready

    def _consecutive(self) -> list[RtpPacket]:
        ready: list[RtpPacket] = []
        while self._next in self._held:
            ready.append(self._held.pop(self._next))
            self._next = (self._next + 1) % _WRAP
        return ready

    def _released(self) -> list[RtpPacket]:
        held, self._held = sorted(self._held.values(), key=lambda one: self._distance(one.sequence)), {}
        return held

    def _distance(self, sequence: int) -> int:
        return (sequence - (self._next or 0)) % _WRAP
