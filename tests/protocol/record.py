"""Shows what a server answers to a script: `python -m tests.protocol.record FILE [TITLE]`.

Prints the file with every run of `<` lines replaced by what really came from the Postgres of
`targets.postgres` (in a draft a bare `< ?` marks where to listen; the end of a case is such a place
too, and `< ? message hint` keeps those fields of errors). A recording is a draft: read it, take out what legitimately differs between servers, and say
with `#` why the rest must be so.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from . import script, targets
from .client import BrokenMessage, Closed, Message
from .run import WAYS, Run, Target, execute
from .spell import show

QUIET = 0.25
"""Seconds of silence after which an answer is taken to be complete."""


def _answers(run: Run, name: str) -> Iterator[Message]:
    wire = run.session(name)
    yield from run.arrived[name]
    run.arrived[name].clear()
    while wire.readable(QUIET):
        yield (answer := wire.read())
        if isinstance(answer, Closed):
            return


def record(case: script.Case, lines: list[str], target: Target) -> Iterator[str]:
    """The lines of a case, with the answers of the target in place of the script's."""
    execute(target, case.clean + case.setup)
    run = Run(case, target)
    steps = {step.line: step for step in case.steps}
    asked: script.Step | None = None

    def listen(wanted: tuple[script.Token, ...] = ()) -> Iterator[str]:
        run.flush()
        if asked is not None and asked.session in run.sessions:
            prefix = asked.session if asked.session != "a" else ""
            try:
                for answer in _answers(run, asked.session):
                    yield f"{prefix}< {show(answer, wanted)}"
            except BrokenMessage as error:
                yield f"{prefix}< {error}"

    for number, line in enumerate(lines, case.line):
        step = steps.get(number)
        if step is None:
            yield line
        elif step.way in (">", "send", "cancel"):
            yield line
            if step.applies(target.name, target.version):
                WAYS[step.way](run, step)
                asked = step if step.session else asked
        elif step.kind == "Byte":
            run.flush()
            yield f"< {show(run.session(step.session).read_byte())}"
        elif asked is not None:
            yield from listen(step.tokens)
            asked = None
    yield from listen()
    for wire in run.sessions.values():
        wire.close()
    execute(target, case.clean)


def main() -> None:
    path, wanted = Path(sys.argv[1]), " ".join(sys.argv[2:])
    lines, cases = path.read_text().splitlines(), list(script.read(path))
    ends = [case.line for case in cases[1:]] + [len(lines) + 1]
    with targets.postgres() as target:
        print(*lines[: cases[0].line - 1], sep="\n")
        for case, end in zip(cases, ends, strict=True):
            if wanted in case.title:
                print(*record(case, lines[case.line - 1 : end - 1], target), sep="\n")


if __name__ == "__main__":
    main()
