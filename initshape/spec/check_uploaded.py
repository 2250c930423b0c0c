"""Rules for uploaded data sets and initializations, from the facts that were found when they were uploaded."""

from __future__ import annotations

from collections.abc import Iterator

from initshape.spec.dataset import UploadedDataset
from initshape.spec.feasibility import INCONSISTENT
from initshape.spec.init import UploadedInit
from initshape.spec.model import Diagonal, FullyConnected, ModelSpec, SingleNeuron
from initshape.spec.problem import ProblemError, problem

DATASET, INIT = "/dataset/dataset_id", "/init/init_id"


def check_uploaded_dataset(data: UploadedDataset, loss: str, linear: bool) -> Iterator[ProblemError]:
    """Whether it is there, and its labels can be fitted by this loss and a model that is `linear` in x or is not."""
    if data.upload is None or data.upload.labels is None:
        yield _unknown(DATASET, data.dataset_id, "POST /v1/datasets")
        return
    labels = data.upload.labels
    if loss != "square":
        if labels.other is not None:
            place, value = labels.other
            yield problem(DATASET, value, "-1 or 1", f"labels of the {loss} loss are -1 and 1; y[{place}] is not")
        return
    if labels.zero:
        yield problem(DATASET, 0.0, "at least one label other than 0",
                      "y = 0 is fitted by w = 0 from the start: there is nothing to learn")  # fmt: skip
    elif linear and labels.residual > INCONSISTENT:
        yield problem(DATASET, labels.residual, f"a relative least-squares residual of at most {INCONSISTENT:g}",
                      "no weights fit these labels (value is the relative residual of the best ones): remove "
                      "contradicting samples, or add features")  # fmt: skip


def check_uploaded_init(model: ModelSpec, init: UploadedInit, dimension: int, most: float) -> Iterator[ProblemError]:
    """Whether it is there and its arrays are those of this model, none larger in magnitude than `most`."""
    if init.upload is None:
        yield _unknown(INIT, init.init_id, "POST /v1/inits")
        return
    facts = init.upload.facts
    wanted = _wanted(model, dimension, "plus" in facts)
    if set(facts) != set(wanted):
        yield problem(INIT, ", ".join(sorted(facts)), ", ".join(sorted(wanted)),
                      f"the upload holds other arrays than a {model.kind} network of this depth has")  # fmt: skip
        return
    for name, shape in wanted.items():
        found = facts[name].shape
        if found != shape and not (name == "a" and found == () and shape == (1,)):
            yield problem(INIT, _times(found), _times(shape),
                          f"{name} in the upload has another shape than the model needs")  # fmt: skip
        elif facts[name].largest > most:
            yield problem(INIT, facts[name].largest, f"magnitudes up to {most:g}",
                          f"bring {name} nearer to unit scale")  # fmt: skip


def _wanted(model: ModelSpec, dimension: int, by_branch: bool) -> dict[str, tuple[int, ...]]:
    """The arrays that `kind: explicit` has, matrices of a network one by one."""
    if isinstance(model, Diagonal):
        if by_branch or model.depth != 2:
            return dict.fromkeys(("plus", "minus"), (model.depth, dimension))
        return dict.fromkeys(("u_plus", "v_plus", "u_minus", "v_minus"), (dimension,))
    if isinstance(model, SingleNeuron):
        return {"a": (model.scalar_layers,), "w": (dimension,)}
    assert isinstance(model, FullyConnected)  # noqa: S101 - there is no other
    sizes = [dimension, *[model.width] * (model.depth - 1), 1]
    return {f"layers_{k}": (sizes[k + 1], sizes[k]) for k in range(model.depth)}


def _unknown(pointer: str, name: str, where: str) -> ProblemError:
    hint = f"there is no such upload: it was never sent here, or deleted, or has expired; send it again ({where})"
    return problem(pointer, name, "the id of an upload that is kept", hint)


def _times(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape)) or "one number"
