"""Chat templates of other projects: rendered in a sandbox, in another process, within a time."""

from __future__ import annotations

import json
import select
import subprocess
import sys
import threading
import weakref
from collections.abc import Mapping, Sequence
from typing import Any

from rinsho.corpus.document import Message
from rinsho.errors import TemplateRefused

_SECONDS = 10.0  # for one rendering; a usual one takes a thousandth


class ChatTemplate:
    """A Jinja template from a model folder.

    Args:
        text: The template.
        variables: What it may use beside the messages, as `bos_token`.
        name: What errors call it.
        seconds: Time for one rendering.
    """

    def __init__(
        self, text: str, variables: Mapping[str, Any], name: str, seconds: float = _SECONDS
    ) -> None:
        self._text, self._variables = text, dict(variables)
        self._name, self._seconds = name, seconds
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def render(self, messages: Sequence[Message], *, add_generation_prompt: bool = False) -> str:
        """Return the text of a conversation.

        Raises:
            TemplateRefused: It refuses the messages, is no template, or takes too long.
        """
        variables = {
            **self._variables,
            "messages": [{"role": m.role, "content": m.content} for m in messages],
            "add_generation_prompt": add_generation_prompt,
        }
        with self._lock:
            if self._process is None or self._process.poll() is not None:
                self._start()
                self._ask({"template": self._text})
            return self._ask({"variables": variables})

    def _start(self) -> None:
        command = [sys.executable, "-I", "-m", "rinsho.tokenizer.template_process"]
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        self._process = process
        weakref.finalize(self, _end, process)

    def _ask(self, question: Mapping[str, Any]) -> str:
        process = self._process
        assert process is not None and process.stdin is not None and process.stdout is not None
        try:
            process.stdin.write(json.dumps(question).encode() + b"\n")
            process.stdin.flush()
            is_ready = bool(select.select([process.stdout], [], [], self._seconds)[0])
            line = process.stdout.readline() if is_ready else b""
        except OSError:
            is_ready, line = True, b""
        if not line:
            _end(process)
            found = "the process ended" if is_ready else f"no end after {self._seconds:g} s"
            raise TemplateRefused(where=self._name, found=found, expected="a text for messages")
        answer = json.loads(line)
        if "error" in answer:
            expected = "a text for these roles in this order"
            raise TemplateRefused(where=self._name, found=answer["error"], expected=expected)
        return str(answer["text"])


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            try:
                pipe.close()
            except OSError:
                continue  # what was not sent is not needed any more
