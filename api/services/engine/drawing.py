"""Pictures of the lifecycles: machines enter, the page `docs/services.md` leaves.

`python -m api.services.engine.drawing > docs/services.md`; a test holds the page against the code.
"""

from __future__ import annotations

import sys

from api.institution import kinds as house_kinds
from api.services.catalogue import GROUPS, SERVICES, CareService
from api.services.engine.machine import SAME, Machine

_HEAD = """# The eleven services

Drawn from the code: do not edit, run `python -m api.services.engine.drawing > docs/services.md`. Every record follows
its lifecycle; an action that a state does not allow answers 409 and says what is possible instead, a role that may not
do it 403, another institution's record 404. Something may be due in a state with a heavy border; in any other a record
is never overdue. Actions are `POST /api/v1/services/{service}/{records}/{id}/{action}`.
"""

_HOUSE = """
## The house itself

Records of the institution beside the eleven services: `POST /api/v1/institution/{records}/{id}/{action}`.
"""


def page() -> str:
    """The whole page as Markdown."""
    house = "".join(_lifecycle(kind.machine) for kind in house_kinds.KINDS)
    return _HEAD + "".join(_service(service) for service in SERVICES) + _HOUSE + house


def _service(service: CareService) -> str:
    group = GROUPS[service.group]
    head = (
        f"\n## `{service.code}` {service.names.zh} · {service.names.en}\n\n{group.zh} · {group.en}. {service.clause}\n"
    )
    return head + "".join(_lifecycle(cycle) for cycle in service.lifecycles)


def _lifecycle(cycle: Machine) -> str:
    lines = [f"\n### {cycle.names.zh} · {cycle.names.en}\n", "```mermaid", "stateDiagram-v2"]
    lines += [f'    state "{state.names.zh} {state.code}" as {state.code}' for state in cycle.states]
    lines.append(f"    [*] --> {cycle.states[0].code}")
    for move in cycle.moves:
        for source in sorted(move.sources):
            target = source if move.target == SAME else move.target
            lines.append(f"    {source} --> {target}: {move.names.zh}")
    finals = sorted(cycle.finals)
    if cycle.due:
        lines.append("    classDef due stroke-width:3px")
        lines.append(f"    class {','.join(state.code for state in cycle.states if state.code in cycle.due)} due")
    lines += [f"    {state} --> [*]" for state in finals]
    lines.append("```\n")
    if cycle.moves:
        lines += ["| action | from | to | who |", "|---|---|---|---|"]
        lines += [
            f"| `{move.action}` {move.names.zh} | {' '.join(sorted(move.sources))} | "
            f"{'stays' if move.target == SAME else move.target} | {' '.join(sorted(move.roles))} |"
            for move in cycle.moves
        ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(page())
