"""One operator of a network, and the list of them: the single source of every cost."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

ELEMENTWISE_KINDS = frozenset({"activation", "add", "multiply", "elementwise"})
Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Operator:
    """One call of an operator at known shapes, batch 1.

    ``kind`` is a key of ``space.operators.kinds``; ``name`` is torch's name of it. ``reads`` and ``writes`` are ids
    of activations (weights are not activations); a value written by an operator that also reads it is overwritten
    in place. ``slices`` says of each read where in its value it begins, None where it reads the whole value; empty
    where nothing is known to be a slice. ``permuted`` says of a copy that it changes the order of the elements.
    ``part`` is the path of the module that ran it, "" for the network itself.
    """

    kind: str
    name: str
    input_shapes: tuple[Shape, ...]
    output_shape: Shape
    reads: tuple[int, ...]
    writes: tuple[int, ...]
    macs: int = 0
    kernel: tuple[int, ...] = ()
    stride: tuple[int, ...] = ()
    dilation: tuple[int, ...] = ()
    groups: int = 1
    slices: tuple[int | None, ...] = ()
    permuted: bool = False
    part: str = ""


@dataclass(frozen=True, slots=True)
class OperatorList:
    """The operators of one network at one input size, in the order in which they run.

    ``sizes`` gives every activation's number of elements; ``inputs`` and ``outputs`` are the network's own.
    ``change_of_params`` is what constant folding adds to the number of its parameters (``Constants``).
    """

    operators: tuple[Operator, ...]
    sizes: dict[int, int]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    output_shape: Shape
    change_of_params: int = 0

    @property
    def macs(self) -> int:
        """Multiply-accumulates of all convolutions and matrix products; recursion counts every pass."""
        return sum(operator.macs for operator in self.operators)

    def peak_elements(self, kept: Collection[int] = ()) -> int:
        """Largest number of activation elements alive at once.

        While an operator runs, its inputs and its output are alive together. An element-wise operator writes over an
        input of its output's size that nobody reads afterwards. ``kept`` names inputs that are still needed after
        the last operator.
        """
        last_read: dict[int, int] = {}
        for position, operator in enumerate(self.operators):
            last_read.update(dict.fromkeys(operator.reads, position))
        last_read.update(dict.fromkeys((*self.outputs, *kept), len(self.operators)))

        alive = dict.fromkeys(self.inputs)
        live = peak = sum(self.sizes[value] for value in alive)
        for position, operator in enumerate(self.operators):
            ending = [value for value in set(operator.reads) if last_read[value] == position and value in alive]
            created = [value for value in operator.writes if value not in alive]
            written = sum(self.sizes[value] for value in created)
            reused = operator.kind in ELEMENTWISE_KINDS and any(self.sizes[value] == written for value in ending)
            peak = max(peak, live + (0 if reused else written))
            alive.update(dict.fromkeys(created))
            live += written
            for value in (*ending, *(value for value in created if value not in last_read)):
                del alive[value]
                live -= self.sizes[value]
        return peak
