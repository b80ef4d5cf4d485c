"""The line of a document is its JSON, however it is made."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from rinsho.corpus.document import Document, Message, to_json, to_line
from rinsho.text.normalize import normalize

TEXTS = (st.text('"\\text:, \n\t漢𠮷\x7f\u2028', max_size=30) | st.text()).map(normalize)


@given(TEXTS, TEXTS, st.none() | TEXTS, st.none() | st.tuples(TEXTS.map(lambda t: Message(t, t))))
def test_a_line_is_what_the_json_module_writes(
    text: str, name: str, url: str | None, messages: tuple[Message, ...] | None
) -> None:
    document = Document(f"{name}/0", text, name, "CC0-1.0", url=url, messages=messages)
    line = json.dumps(to_json(document), ensure_ascii=False) + "\n"
    assert to_line(document).decode() == line
