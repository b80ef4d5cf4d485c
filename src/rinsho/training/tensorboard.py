"""Numbers for TensorBoard: an event file written without it, for it to read.

A record is its length, a checksum of that, an `Event` message and a checksum of that. Two kinds of
event are written: the version of the format, and the numbers of a step.

Source:
    TFRecord: https://www.tensorflow.org/tutorials/load_data/tfrecord; the messages: event.proto
    and summary.proto of TensorBoard (Apache-2.0); CRC-32C: RFC 3720, appendix B.4.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable

EVENTS = "events.out.tfevents.0.rinsho"  # TensorBoard looks for the middle part
_CASTAGNOLI = 0x82F63B78


def _crc_table() -> tuple[int, ...]:
    table: list[int] = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (_CASTAGNOLI if byte & 1 else 0)
        table.append(byte)
    return tuple(table)


_CRC_TABLE = _crc_table()


def crc32c(data: bytes) -> int:
    """Return the CRC-32C of some bytes.

    >>> hex(crc32c(b"123456789"))
    '0xe3069283'
    """
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ _CRC_TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def first_event() -> bytes:
    """Return the record that every file begins with."""
    return _record(_field(1, 1, struct.pack("<d", 0.0)) + _text(3, b"brain.Event:2"))


def number_event(step: int, seconds: float, numbers: Iterable[tuple[str, float]]) -> bytes:
    """Return the record of some named numbers of a step.

    Args:
        step: Counted from 1.
        seconds: Since the run began; TensorBoard shows it as time passed.
        numbers: Name and value; stored as float32.
    """
    values = b"".join(
        _text(1, _text(1, name.encode()) + _field(2, 5, struct.pack("<f", value)))
        for name, value in numbers
    )
    head = _field(1, 1, struct.pack("<d", seconds)) + _field(2, 0, _varint(step))
    return _record(head + _text(5, values))


def _record(event: bytes) -> bytes:
    length = struct.pack("<Q", len(event))
    return length + _masked(length) + event + _masked(event)


def _masked(data: bytes) -> bytes:
    crc = crc32c(data)
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)


def _field(number: int, wire_type: int, value: bytes) -> bytes:
    return _varint(number << 3 | wire_type) + value


def _text(number: int, value: bytes) -> bytes:
    return _field(number, 2, _varint(len(value)) + value)


def _varint(value: int) -> bytes:
    written = bytearray()
    while value > 0x7F:
        written.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*written, value))
