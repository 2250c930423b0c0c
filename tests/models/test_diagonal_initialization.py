"""Scale and shape of diagonal networks: the product is alpha, the normalised difference of the factors is s."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from initshape.models import Diagonal, InitializationError, initialize, scale_shape_layers
from initshape.spec.init import ExplicitInit, ScaleShape
from initshape.spec.model import Diagonal as DiagonalSpec

scales = st.floats(1e-50, 1e50)
shapes = st.floats(-0.999, 0.999)


@settings(deadline=None)
@given(alpha=scales, s=shapes, depth=st.integers(2, 6))
def test_product_is_the_scale_and_the_shape_is_recovered(alpha: float, s: float, depth: int) -> None:
    layers = scale_shape_layers(alpha, s, depth, 3)
    assert layers.shape == (depth, 3)
    np.testing.assert_allclose(np.log(layers).sum(0), np.log(alpha), rtol=1e-12, atol=1e-12)
    first, last = layers[0], layers[-1]
    np.testing.assert_allclose((last - first) / (last + first), s, rtol=1e-12, atol=1e-14)
    np.testing.assert_array_equal(layers[:-1], np.broadcast_to(first, (depth - 1, 3)))


@settings(deadline=None)
@given(alpha=st.lists(scales, min_size=4, max_size=4), s=st.lists(shapes, min_size=4, max_size=4))
def test_one_number_per_coordinate_is_the_same_as_each_alone(alpha: list[float], s: list[float]) -> None:
    together = scale_shape_layers(tuple(alpha), tuple(s), 2, 4)
    alone = [scale_shape_layers(a, b, 2, 1)[:, 0] for a, b in zip(alpha, s, strict=True)]
    np.testing.assert_array_equal(together, np.array(alone).T)


def test_released_code_convention_at_depth_two() -> None:
    """|p| = sqrt(alpha (1-s)/(1+s)), |q| = sqrt(alpha (1+s)/(1-s)), and sqrt(k) = 4 alpha (1+s^2)/(1-s^2)."""
    alpha, s = 0.02, 0.7
    p, q = scale_shape_layers(alpha, s, 2, 1)[:, 0]
    assert p == pytest.approx(np.sqrt(alpha * (1 - s) / (1 + s)), rel=1e-14)
    assert q == pytest.approx(np.sqrt(alpha * (1 + s) / (1 - s)), rel=1e-14)
    assert 2 * (p * p + q * q) == pytest.approx(4 * alpha * (1 + s * s) / (1 - s * s), rel=1e-14)


def test_both_branches_are_equal_so_the_network_starts_at_zero() -> None:
    init = ScaleShape(kind="scale_shape", scale=1e-3, shape=0.5)
    model, theta = initialize(DiagonalSpec(kind="diagonal", depth=3), init, 4)
    assert model == Diagonal(3, 4)
    assert np.all(model.predictor(theta) == 0.0)
    np.testing.assert_array_equal(theta.reshape(2, 3, 4)[0], theta.reshape(2, 3, 4)[1])


def test_explicit_names_land_in_their_places() -> None:
    by_name = ExplicitInit(
        kind="explicit", u_plus=(1.0, 2.0), v_plus=(3.0, 4.0), u_minus=(5.0, 6.0), v_minus=(7.0, 8.0)
    )
    by_branch = ExplicitInit(kind="explicit", plus=((1.0, 2.0), (3.0, 4.0)), minus=((5.0, 6.0), (7.0, 8.0)))
    spec = DiagonalSpec(kind="diagonal", depth=2)
    model, theta = initialize(spec, by_name, 2)
    np.testing.assert_array_equal(theta, np.arange(1.0, 9.0))
    np.testing.assert_array_equal(model.predictor(theta), [1 * 3 - 5 * 7, 2 * 4 - 6 * 8])
    np.testing.assert_array_equal(initialize(spec, by_branch, 2)[1], theta)


def test_layers_that_do_not_fit_are_refused() -> None:
    spec = DiagonalSpec(kind="diagonal", depth=2)
    short = ExplicitInit(kind="explicit", plus=((1.0, 2.0), (3.0, 4.0)), minus=((5.0, 6.0), (7.0, 8.0)))
    with pytest.raises(InitializationError):
        initialize(spec, short, 3)
    with pytest.raises(InitializationError):
        initialize(spec, ScaleShape(kind="scale_shape", scale=(1.0, 2.0), shape=0.0), 3)
    with pytest.raises(InitializationError):
        initialize(spec, ExplicitInit(kind="explicit", plus=((1.0,), (3.0,))), 1)
