"""``optbench doctor``: what makes timings unreliable here."""

import json

from bench.commands import shared
from bench.support import console


@shared.in_one_line
def doctor(as_json: shared.AsJson = False) -> None:
    """Tell what on this machine makes timings unreliable."""
    from bench.machine import allocator
    from bench.machine.doctor import examine

    allocator.tune()
    findings = examine()
    if as_json:
        print(json.dumps([vars(finding) for finding in findings], indent=2))
        return
    words = {True: "fine", False: "look", None: "–"}
    body = [[finding.subject, words[finding.fine], finding.message] for finding in findings]
    console.print_table("What makes timings unreliable here", (["looked at", "", "found"], body))
