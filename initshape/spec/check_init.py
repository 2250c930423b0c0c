"""Rules that tie an initialization to its model: lengths, and keys that mean nothing there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from initshape.spec.check_uploaded import check_uploaded_init
from initshape.spec.init import ExplicitInit, InitSpec, ScaleShape, UploadedInit
from initshape.spec.model import Diagonal, FullyConnected, ModelSpec, SingleNeuron
from initshape.spec.problem import ProblemError, problem

LARGEST_PARAMETER = 1e50
"""Larger weights leave no room for the products that the network forms."""


def check_init(model: ModelSpec, init: InitSpec, dimension: int) -> Iterator[ProblemError]:
    """Problems of `init` for `model` on `dimension` features; pointers start at the experiment."""
    if isinstance(init, ScaleShape):
        yield from _check_scale_shape(model, init, dimension)
    elif isinstance(init, UploadedInit):
        yield from check_uploaded_init(model, init, dimension, LARGEST_PARAMETER)
    elif isinstance(model, Diagonal):
        yield from _check_diagonal(model, init, dimension)
    elif isinstance(model, SingleNeuron):
        yield from _check_neuron(model, init, dimension)
    else:
        yield from _check_layers(model, init, dimension)


def _check_scale_shape(model: ModelSpec, init: ScaleShape, dimension: int) -> Iterator[ProblemError]:
    balanced = init.balanced is True
    length = None if balanced else _vector_length(model, dimension)
    unit = "coordinate" if model.kind == "diagonal" else "neuron"
    for name, value in (("scale", init.scale), ("shape", init.shape)):
        if isinstance(value, tuple) and len(value) != length:
            if length is None:
                yield problem(f"/init/{name}", len(value), "one number", f"give one {name} for the whole network")
            else:
                yield problem(f"/init/{name}", len(value), f"one number, or a list of length {length}",
                              f"give one {name}, or one per {unit} ({_size(model, dimension)})")  # fmt: skip
    meaningful = {
        "diagonal": set(),
        "single_neuron": {"seed", "direction"},
        "fully_connected": {"seed", "direction", "balanced"} if balanced else {"seed", "signs"},
    }[model.kind]
    for name in ("seed", "direction", "signs", "balanced"):
        value = getattr(init, name)
        if value is not None and name not in meaningful:
            where = "a balanced network" if balanced else model.kind
            yield problem(f"/init/{name}", value, "left out", f"{name} means nothing for {where}: remove it")
    if "direction" in meaningful and init.direction is not None:
        yield from _check_direction(init.direction, dimension)
    if isinstance(model, FullyConnected):
        yield from _check_network(model, init, balanced)


def _vector_length(model: ModelSpec, dimension: int) -> int | None:
    """How many scales or shapes a network may have, beside one for all of it."""
    if isinstance(model, Diagonal):
        return dimension
    return model.width if isinstance(model, FullyConnected) else None


def _size(model: ModelSpec, dimension: int) -> str:
    return f"dimension {dimension}" if isinstance(model, Diagonal) else f"width {getattr(model, 'width', 1)}"


def _check_direction(direction: Sequence[float], dimension: int) -> Iterator[ProblemError]:
    if len(direction) != dimension:
        yield problem("/init/direction", len(direction), f"length {dimension}", "give one number a feature")
    elif not any(direction):
        yield problem("/init/direction", 0, "at least one number other than 0", "a zero vector has no direction")


def _check_network(model: FullyConnected, init: ScaleShape, balanced: bool) -> Iterator[ProblemError]:
    if balanced and init.shape != 0.0:
        yield problem("/init/shape", init.shape, "0", "balanced layers have equal norms: shape is 0")
    if balanced and model.activation != "identity":
        yield problem("/init/balanced", True, "identity activation", "strict balance is defined for linear networks")
    if not balanced and model.depth > 2:
        yield problem("/init/balanced", None, "true", "scale and shape at depth > 2 need balanced: true with shape 0; "
                      "for other weights use kind: explicit or kind: uploaded")  # fmt: skip
    if init.signs == "paired" and model.width % 2:
        yield problem("/init/signs", "paired", "an even width", "paired neurons come two by two: make width even")


def _given(init: ExplicitInit) -> set[str]:
    return {name for name in type(init).model_fields if name != "kind" and getattr(init, name) is not None}


def _check_names(init: ExplicitInit, wanted: Sequence[str], kind: str) -> Iterator[ProblemError]:
    given = _given(init)
    for name in sorted(given - set(wanted)):
        yield problem(f"/init/{name}", None, ", ".join(wanted), f"{name} means nothing for {kind}: remove it")
    for name in wanted:
        if name not in given:
            yield problem(f"/init/{name}", None, "required", f"{name} is required for {kind}")


def _check_diagonal(model: Diagonal, init: ExplicitInit, dimension: int) -> Iterator[ProblemError]:
    factors, branches = ("u_plus", "v_plus", "u_minus", "v_minus"), ("plus", "minus")
    given = _given(init)
    by_factor, by_branch = bool(given & set(factors)), bool(given & set(branches))
    if by_factor == by_branch:
        yield problem("/init", None, "u_plus, v_plus, u_minus, v_minus (depth 2) or plus, minus",
                      "give exactly one of the two sets of arrays")  # fmt: skip
        return
    if by_factor and model.depth != 2:
        yield problem("/init", None, "plus, minus", f"depth {model.depth} needs plus and minus, each depth x dimension")
        return
    wanted = factors if by_factor else branches
    yield from _check_names(init, wanted, "this diagonal network")
    for name in wanted:
        if name in given:
            shape = (dimension,) if by_factor else (model.depth, dimension)
            yield from _check_array(f"/init/{name}", getattr(init, name), shape, "depth x dimension")


def _check_neuron(model: SingleNeuron, init: ExplicitInit, dimension: int) -> Iterator[ProblemError]:
    yield from _check_names(init, ("a", "w"), "a single neuron")
    if init.w is not None:
        yield from _check_array("/init/w", init.w, (dimension,), "dimension")
    if init.a is not None:
        scalars = init.a if isinstance(init.a, tuple) else (init.a,)
        yield from _check_array("/init/a", scalars, (model.scalar_layers,), "scalar_layers")


def _check_layers(model: FullyConnected, init: ExplicitInit, dimension: int) -> Iterator[ProblemError]:
    yield from _check_names(init, ("layers",), "a fully connected network")
    if init.layers is None:
        return
    if len(init.layers) != model.depth:
        yield problem("/init/layers", len(init.layers), f"{model.depth} matrices", "give one matrix a layer")
        return
    sizes = [dimension, *[model.width] * (model.depth - 1), 1]
    for k, layer in enumerate(init.layers):
        yield from _check_array(f"/init/layers/{k}", layer, (sizes[k + 1], sizes[k]), "outputs x inputs")


def _check_array(pointer: str, value: object, shape: tuple[int, ...], meaning: str) -> Iterator[ProblemError]:
    wanted = " x ".join(map(str, shape))
    try:
        array = np.asarray(value, dtype=np.float64)
    except ValueError:
        yield problem(pointer, None, wanted, f"the rows must have one length: give {wanted} numbers ({meaning})")
        return
    if array.shape != shape:
        found = " x ".join(map(str, array.shape))
        kind = f"a list of {wanted} numbers" if len(shape) == 1 else f"{wanted} numbers"
        yield problem(pointer, found, wanted, f"give {kind} ({meaning})")
        return
    largest = float(np.abs(array).max())
    if largest > LARGEST_PARAMETER:
        yield problem(pointer, largest, f"magnitudes up to {LARGEST_PARAMETER:g}",
                      "bring the parameters nearer to unit scale")  # fmt: skip
