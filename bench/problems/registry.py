"""The problems that optimizers can be compared on, by name.

To add one: put a ``ProblemSpec`` into ``PROBLEMS``, declare an entry point in the group
``optbench.problems``, or name it ``package.module:builder`` on the command line.
"""

from bench.problems.spec import ProblemSpec
from optimizers.plugins import Registry

PROBLEMS: dict[str, ProblemSpec] = {
    spec.name: spec
    for spec in (
        ProblemSpec(
            name="mnist_cnn",
            build="bench.problems.mnist_cnn:mnist_cnn",
            summary="MNIST, the CNN of BackPACK's tutorial (431,080 parameters)",
        ),
        ProblemSpec(
            name="mnist_mlp",
            build="bench.problems.mnist_mlp:mnist_mlp",
            summary="MNIST, two hidden layers of 256 and 128 units (235,146 parameters)",
        ),
        ProblemSpec(
            name="mnist_logreg",
            build="bench.problems.mnist_logreg:mnist_logreg",
            summary="MNIST, logistic regression (7,850 parameters)",
        ),
        ProblemSpec(
            name="quadratic",
            build="bench.problems.quadratic:quadratic",
            summary="Ill-conditioned linear least squares, no data needed, known minimiser",
        ),
    )
}

REGISTRY: Registry[ProblemSpec] = Registry(
    kind="problem",
    group="optbench.problems",
    entries=PROBLEMS,
    spec_type=ProblemSpec,
    wrap=lambda name, build, summary: ProblemSpec(name=name, build=build, summary=summary),
    rule="a problem is a ProblemSpec or a callable that takes ProblemOptions and returns a Problem",
)
