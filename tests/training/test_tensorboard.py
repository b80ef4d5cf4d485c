"""The event file, read by a reader of its own: lengths, checksums, fields."""

from __future__ import annotations

import struct

from rinsho.training.tensorboard import crc32c, first_event, number_event


def unmasked(value: int) -> int:
    rotated = (value - 0xA282EAD8) & 0xFFFFFFFF
    return (rotated << 15 | rotated >> 17) & 0xFFFFFFFF


def records(data: bytes) -> list[bytes]:
    found: list[bytes] = []
    while data:
        (length,) = struct.unpack("<Q", data[:8])
        (check,) = struct.unpack("<I", data[8:12])
        assert unmasked(check) == crc32c(data[:8])
        body = data[12 : 12 + length]
        (check,) = struct.unpack("<I", data[12 + length : 16 + length])
        assert unmasked(check) == crc32c(body)
        found.append(body)
        data = data[16 + length :]
    return found


def test_checksums_are_those_of_rfc_3720() -> None:
    assert crc32c(bytes(32)) == 0x8A9136AA
    assert crc32c(b"\xff" * 32) == 0x62A8AB43
    assert crc32c(bytes(range(32))) == 0x46DD794E


def test_a_file_begins_with_its_version() -> None:
    (event,) = records(first_event())
    assert event.endswith(b"\x1a\x0dbrain.Event:2")


def test_an_event_holds_step_time_and_named_numbers() -> None:
    (event,) = records(number_event(300, 2.5, [("loss", 1.25)]))
    time = b"\x09" + struct.pack("<d", 2.5)
    step = b"\x10\xac\x02"  # 300 as a varint
    value = b"\x0a\x04loss\x15" + struct.pack("<f", 1.25)
    assert event == time + step + b"\x2a\x0d" + b"\x0a\x0b" + value
