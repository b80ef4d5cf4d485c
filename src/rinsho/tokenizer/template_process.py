"""A process of its own that renders a chat template: what hangs or grows there can be killed.

    python -I -m rinsho.tokenizer.template_process

It reads JSON lines from standard input and answers each with one. The first holds the template.
"""

from __future__ import annotations

import json
import sys
from typing import Any, cast

_MAX_BYTES = 2 << 30  # of memory; a template that wants more is none
_MAX_CHARS = 50_000_000


def main() -> None:
    """Answer until standard input ends."""
    _limit_memory()
    template: Any = None
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            if "template" in asked:
                template, answer = _compile(asked["template"]), {"text": ""}
            else:
                answer = {"text": template.render(**asked["variables"])}
        except Exception as error:  # whatever a foreign program does; its words are not repeated
            answer = {"error": type(error).__name__}
        if len(answer.get("text", "")) > _MAX_CHARS:
            answer = {"error": "too long a text"}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def _limit_memory() -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_AS, (_MAX_BYTES, _MAX_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _compile(text: str) -> Any:
    """Compile as transformers does; without a clock: the same conversation, the same text."""
    import jinja2
    from jinja2 import nodes
    from jinja2.ext import Extension, loopcontrols
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    class Generation(Extension):
        """`{% generation %}` … `{% endgeneration %}` marks answers; what is inside is rendered."""

        tags = {"generation"}  # noqa: RUF012 - as jinja2 declares it

        def parse(self, parser: Any) -> list[nodes.Node]:
            next(parser.stream)
            return parser.parse_statements(("name:endgeneration",), drop_needle=True)

    def to_json(value: Any, ensure_ascii: bool = False, indent: int | None = None) -> str:
        return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent)

    def refuse(message: str) -> None:
        raise jinja2.TemplateError(message)

    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, loopcontrols]
    )
    environment.filters["tojson"] = to_json
    globals_: dict[str, Any] = cast(Any, environment.globals)
    globals_["raise_exception"] = refuse
    return environment.from_string(text)


if __name__ == "__main__":
    main()
