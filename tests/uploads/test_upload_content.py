"""What an upload is: equal numbers have equal ids, and what cannot be a data set or an initialization is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from initshape.spec.feasibility import relative_least_squares_residual
from initshape.spec.problem import SpecError
from initshape.uploads import dataset_upload, init_upload

X = np.array([[1.0, 2.0, -0.5], [0.0, 1.0, 3.0]])
Y = np.array([1.0, -2.0])


def test_equal_numbers_have_equal_ids() -> None:
    one = dataset_upload({"X": X, "y": Y})
    assert dataset_upload({"y": Y.tolist(), "X": np.asfortranarray(X)}).id == one.id  # type: ignore[dict-item]
    zero = X.copy()
    zero[1, 0] = -0.0
    assert dataset_upload({"X": zero, "y": Y}).id == one.id
    assert one.id.startswith("d-")
    assert one.size == 8 * 8


def test_other_numbers_shapes_and_names_have_other_ids() -> None:
    near = np.nextafter(X, 9.0)
    found = [
        dataset_upload({"X": X, "y": Y}),
        dataset_upload({"X": near, "y": Y}),
        dataset_upload({"X": X, "y": Y, "w_true": np.ones(3)}),
        dataset_upload({"X": X, "y": Y, "X_test": X, "y_test": Y}),
        init_upload({"plus": X, "minus": X}),
        init_upload({"layers_0": X, "layers_1": np.ones((1, 2))}),
    ]
    assert len({upload.id for upload in found}) == len(found)


def test_the_content_cannot_be_changed() -> None:
    given = X.copy()
    upload = dataset_upload({"X": given, "y": Y})
    given[0, 0] = 7.0
    assert upload.arrays is not None
    assert upload.arrays["X"][0, 0] == 1.0
    with pytest.raises(ValueError, match="read-only"):
        upload.arrays["X"][0, 0] = 7.0


@pytest.mark.parametrize("scale", [1.0, 1e80, 1e-80])
def test_labels_are_looked_at_once(scale: float) -> None:
    labels = dataset_upload({"X": scale * X, "y": Y}).labels
    assert labels is not None
    assert (labels.zero, labels.other) == (False, (1, -2.0))
    assert labels.residual < 1e-14
    tall = dataset_upload({"X": np.vstack([X, X]), "y": np.array([1.0, -2.0, 1.0, 2.0])}).labels
    assert tall is not None
    assert tall.residual == pytest.approx(np.sqrt(8.0 / 10.0))
    twice = dataset_upload({"X": np.array([[1.0, 2.0], [1.0, 2.0]]), "y": np.array([1.0, 2.0])}).labels
    assert twice is not None
    assert twice.residual == relative_least_squares_residual(np.array([[1.0, 2.0], [1.0, 2.0]]), np.array([1.0, 2.0]))
    nothing = dataset_upload({"X": np.zeros((1, 1)), "y": np.zeros(1)}).labels
    assert nothing is not None
    assert nothing.zero


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"y": None}, "/y"), ({"X": None}, "/X"), ({"X": X.T}, "/y"), ({"X": Y}, "/X"), ({"y": np.float64(3)}, "/y"),
        ({"X": np.zeros((0, 3)), "y": np.zeros(0)}, "/X"), ({"X": np.zeros((2, 0))}, "/X"),
        ({"y": np.array([1.0, np.nan])}, "/y/1"), ({"X": np.where(X == 3.0, np.inf, X)}, "/X/1/2"),
        ({"X": np.where(X == 3.0, 1e200, X)}, "/X/1/2"), ({"X_test": X}, "/y_test"),
        ({"X_test": X[:, :2], "y_test": Y}, "/X_test"), ({"X_test": X, "y_test": Y[:1]}, "/y_test"),
        ({"X_test": np.zeros((0, 3)), "y_test": np.zeros(0)}, "/X_test"), ({"w_true": np.ones(2)}, "/w_true"),
        ({"X": np.zeros((20_001, 1)), "y": np.zeros(20_001)}, "/X"),
    ],
)  # fmt: skip
def test_what_is_no_data_set_is_refused(change: dict[str, Any], pointer: str) -> None:
    arrays = {name: value for name, value in ({"X": X, "y": Y} | change).items() if value is not None}
    with pytest.raises(SpecError) as caught:
        dataset_upload(arrays)
    assert caught.value.errors[0].pointer == pointer


@pytest.mark.parametrize(
    "names",
    [(), ("u_plus", "v_plus"), ("plus", "minus", "a"), ("layers_0", "layers_2"), ("layers_1",), ("a",)],
)
def test_an_initialization_is_one_whole_set(names: tuple[str, ...]) -> None:
    with pytest.raises(SpecError, match="cannot be used"):
        init_upload({name: np.ones((2, 2)) for name in names})


def test_dimensions_of_an_initialization() -> None:
    assert init_upload({"a": np.float64(2.0), "w": np.ones(3)}).facts["a"].shape == ()
    for arrays in ({"plus": np.ones(3), "minus": np.ones(3)}, {"a": np.ones(1), "w": np.ones((1, 3))},
                   {"a": np.ones(0), "w": np.ones(3)}, {"a": np.float64(np.nan), "w": np.ones(3)}):  # fmt: skip
        with pytest.raises(SpecError):
            init_upload(arrays)
