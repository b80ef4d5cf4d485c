"""Bytes to text: the encodings of Japanese hospitals and pages, strictly; what fails is refused."""

from __future__ import annotations

import codecs
import re

from rinsho.corpus.readers.record import Encoding, Refused

UTF8_BOM = b"\xef\xbb\xbf"
_ESCAPE = re.compile(rb"\x1b(\([BJI]|\$[@B]|\$\(D)")
_DECLARED = re.compile(rb"""(?:encoding|charset)\s*=\s*["']?\s*([A-Za-z0-9_.:-]+)""")
_HEAD_BYTES = 2048  # where a declaration has to stand
# What a declaration means: everyone's Shift_JIS holds the characters of Windows (①, ㎎, 髙).
_NAMES = {
    **dict.fromkeys(("utf-8", "utf8", "us-ascii", "ascii"), "utf-8"),
    **dict.fromkeys(
        ("shift_jis", "shift-jis", "sjis", "x-sjis", "windows-31j", "ms932", "cp932", "ms_kanji"),
        "cp932",
    ),
    **dict.fromkeys(("euc-jp", "x-euc-jp", "eucjp", "cp51932"), "euc-jp"),
    **dict.fromkeys(("iso-2022-jp", "csiso2022jp", "cp50220", "cp50221"), "iso-2022-jp"),
    **dict.fromkeys(("utf-16", "utf-16le", "utf-16be", "unicode"), "utf-16"),
}


def decode(data: bytes, encoding: str) -> str:
    """Return the text of bytes, without a byte order mark.

    ISO-2022-JP in a file of another encoding is refused: it would pass as ASCII full of `$B`.

    Raises:
        UnicodeDecodeError: Bytes that the encoding does not have.

    >>> decode(b"\\x1b$B-!H/G.\\x1b(B", "iso-2022-jp")  # ① is no character of the standard codec
    '①発熱'
    """
    data = data.removeprefix(UTF8_BOM)
    if encoding == "iso-2022-jp":
        return _decode_iso_2022_jp(data)
    # One byte is found many times as fast as two.
    if encoding != "utf-16" and b"\x1b" in data and (at := data.find(b"\x1b$")) >= 0:
        raise UnicodeDecodeError(encoding, data[at : at + 2], 0, 2, "ISO-2022-JP")
    return data.decode(encoding)


def decode_or_refuse(data: bytes, encoding: str) -> str:
    """Return the text of bytes; raise `Refused` (`wrong_encoding`) with the place of the fault."""
    try:
        return decode(data, encoding)
    except UnicodeDecodeError as error:
        raise Refused("wrong_encoding", f"byte {error.start}", encoding) from None


def _decode_iso_2022_jp(data: bytes) -> str:
    """Decode with the characters that hospitals' systems add to the standard.

    JIS X 0208 goes through CP932 for the rows of NEC and IBM, JIS X 0212 through EUC-JP.
    """
    parts: list[str] = []
    form, start = b"(B", 0
    for escape in [*_ESCAPE.finditer(data), None]:
        segment = data[start : escape.start() if escape else None]
        try:
            parts.append(_decode_segment(segment, form))
        except UnicodeDecodeError as error:
            at = start + error.start
            raise UnicodeDecodeError("iso-2022-jp", data, at, at + 1, "byte") from None
        if escape:
            form, start = escape[1], escape.end()
    return "".join(parts)


def _decode_segment(data: bytes, form: bytes) -> str:
    """Decode bytes between two escapes; blanks and ends of lines may stand in any of them."""
    if form in (b"(B", b"(J"):
        if (at := data.find(b"\x1b")) >= 0:
            raise UnicodeDecodeError("iso-2022-jp", data, at, at + 1, "escape")
        return data.decode("ascii")
    if form == b"(I":
        return bytes(b | 0x80 if b > 0x20 else b for b in data).decode("cp932")
    words = re.split(r"([\x00-\x20])", data.decode("ascii"))
    return "".join(word if word < "!" else _decode_pairs(word.encode(), form) for word in words)


def _decode_pairs(data: bytes, form: bytes) -> str:
    if len(data) % 2:
        raise UnicodeDecodeError("iso-2022-jp", data, len(data) - 1, len(data), "half a character")
    pairs = zip(data[::2], data[1::2], strict=True)
    if form == b"$(D":
        return b"".join(bytes((0x8F, a | 0x80, b | 0x80)) for a, b in pairs).decode("euc_jp")
    return b"".join(_to_shift_jis(a, b) for a, b in pairs).decode("cp932")


def _to_shift_jis(first: int, second: int) -> bytes:
    """Return the Shift_JIS bytes of a character of JIS X 0208 (JIS X 0208:1997, appendix 1)."""
    lead = (first + 1) // 2 + (0x70 if first < 0x5F else 0xB0)
    trail = second + (0x1F if second < 0x60 else 0x20) if first % 2 else second + 0x7E
    return bytes((lead, trail))


def declared_encoding(data: bytes) -> str | None:
    """Return the encoding that a byte order mark, an XML declaration or a `meta` names, if known.

    >>> declared_encoding(b'<?xml version="1.0" encoding="Shift_JIS"?>')
    'cp932'
    """
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if data.startswith(UTF8_BOM):
        return "utf-8"
    found = _DECLARED.search(data[:_HEAD_BYTES])
    return known_encoding(found[1].decode("ascii")) if found else None


def known_encoding(name: str) -> str | None:
    """Return our name of an encoding, or None for one that no Japanese text is in."""
    return _NAMES.get(name.strip().lower())


def decode_declared(data: bytes, otherwise: Encoding) -> str:
    """Decode a file that says its encoding itself, else in the encoding of its source.

    Raises:
        Refused: `wrong_encoding`.
    """
    return decode_or_refuse(data, declared_encoding(data) or otherwise)


def decode_page(data: bytes, announced: str | None, otherwise: Encoding) -> str:
    """Decode a page of the web: as announced, as declared, or in the first encoding that fits.

    Raises:
        Refused: `wrong_encoding`, where none does.
    """
    first = known_encoding(announced or ""), declared_encoding(data), otherwise
    for encoding in dict.fromkeys(e for e in (*first, "utf-8", "cp932", "euc-jp") if e):
        try:
            return decode(data, encoding)
        except UnicodeDecodeError:
            continue
    if b"\x1b$" in data:
        return decode_or_refuse(data, "iso-2022-jp")
    raise Refused("wrong_encoding", "page", "an encoding of Japanese")
