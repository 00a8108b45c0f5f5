"""What a flipped bit does to a stored record: it is refused, changes nothing that is read, or lies.

Three short runs make real records: a completed, a diverged, and one with curvature. One random bit
of a file's bytes is flipped at a time, and the file is read again and compared in full.

    python -m bench.evidence.bit_flips --flips 1500
"""

import argparse
import json
from collections import Counter
from collections.abc import Iterator

import numpy as np

from bench.runs import store
from bench.runs.record import RunRecord
from bench.runs.spec import RunSpec
from bench.training import loop

RUNS = {
    "completed": RunSpec(problem="quadratic", optimizer="adam", iterations=60, eval_every=20),
    "diverged": RunSpec(
        problem="quadratic", optimizer="sgd", hyperparameters={"lr": 1e3}, iterations=60
    ),
    "with curvature": RunSpec(problem="quadratic", optimizer="diag_ggn_mc", iterations=60),
}
OUTCOMES = ("refused", "harmless", "silent")


def records() -> Iterator[RunRecord]:
    """A record of each kind."""
    for spec in RUNS.values():
        record = loop.run(spec)
        assert record.status in ("completed", "diverged"), record.error
        yield record


def content_of(record: RunRecord) -> tuple[str, list[bytes]]:
    """All that a record holds, so that two of one content are equal: 1 is not 1.0, NaN is NaN."""
    values = [name.encode() + str(one.dtype).encode() for name, one in record.values.items()]
    raw = [one.tobytes() for one in record.values.values()]
    return json.dumps(record.metadata()), values + raw


def outcome(original: RunRecord, content: bytes, bit: int) -> str:
    """What becomes of a record when one bit of its file is flipped: one of ``OUTCOMES``."""
    changed = bytearray(content)
    changed[bit // 8] ^= 1 << bit % 8
    try:
        found = store.decode(bytes(changed))
    except ValueError:
        return "refused"
    return "harmless" if content_of(found) == content_of(original) else "silent"


def flip(flips: int, seed: int = 0) -> Counter[str]:
    """How many of random flips, as many in each record, ended how."""
    generator, found = np.random.default_rng(seed), Counter[str]()
    for record in records():
        content = store.encode(record)
        assert content_of(store.decode(content)) == content_of(record)
        for bit in generator.integers(8 * len(content), size=flips // len(RUNS)):
            found[outcome(record, content, int(bit))] += 1
    return found


def main() -> None:
    """Flip bits and print how many flips ended how."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--flips", type=int, default=1500)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    found = flip(options.flips, options.seed)
    told = ", ".join(f"{found[name]} {name}" for name in OUTCOMES)
    print(f"{found.total()} random bit flips over {len(RUNS)} records: {told}")


if __name__ == "__main__":
    main()
