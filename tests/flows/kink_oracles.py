"""Independent flows of networks with kinks: a rounded activation, Filippov's rule one unit at a time, small steps."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from scipy.integrate import solve_ivp
from scipy.optimize import nnls

import initshape.flows  # noqa: F401 - switches JAX to float64
from initshape.models import FullyConnected

BEHIND = 1e-12
"""An event is this far behind a kink: units that have just left theirs are no second event by rounding."""
SAMPLES = 6
"""Most samples of a random case."""
NOTHING = 1e-60
"""Size of a signal that counts as none."""


class KinkCase(NamedTuple):
    """A network, its first parameters and data."""

    model: FullyConnected
    theta: Any
    X: Any
    y: Any


def random_case(seed: int, depth: int, activation: str, width: int = 3) -> KinkCase:
    """2 to 6 samples of 3 features, weights of order 0.3 or 1: a few units cross or are held in most of them."""
    rng = np.random.default_rng(seed)
    samples = int(rng.integers(2, SAMPLES + 1))
    X, y = rng.normal(size=(samples, 3)), 2.0 * rng.normal(size=samples)
    model = FullyConnected(depth, width, 3, activation)
    return KinkCase(model, rng.normal(size=model.size) * rng.choice([0.3, 1.0]), X, y)


class Followed(NamedTuple):
    """States at the asked times, and (time, neuron, sample, what happened) of every event."""

    states: Any
    events: list[tuple[float, int, int, str]]


def followed(case: KinkCase, times: list[float], sides: Any = None) -> Followed:
    """Two layers: SciPy between events that it locates itself, and Filippov's rule for one unit at each of them.

    A unit is held where theta' with its slope at s leads up and with its slope at 1 leads down. `sides` may give the
    slopes at time 0 of units that start on their kinks.
    """
    model, theta, X, y = case
    m, d, N, s = model.width, X.shape[1], len(y), model.negative_slope
    on = (theta[: m * d].reshape(m, d) @ X.T > 0.0) if sides is None else np.array(sides)
    held: list[tuple[int, int]] = []

    def plain(state: Any, on: Any) -> tuple[Any, Any, Any]:
        W, a = state[: m * d].reshape(m, d), state[m * d :]
        slope = np.where(on, 1.0, s)
        hidden = slope * (W @ X.T)
        r = y - a @ hidden
        force = (a[:, None] * r[None, :]) / N
        return np.concatenate([((slope * force) @ X).ravel(), hidden @ r / N]), force, W @ X.T

    def normal(i: int, n: int) -> Any:
        row = np.zeros((m, d))
        row[i] = X[n]
        return np.append(row.ravel(), np.zeros(m))

    def moving(state: Any, on: Any, held: list[tuple[int, int]]) -> tuple[Any, Any]:
        v = plain(state, on)[0]
        if not held:
            return v, np.zeros(0)
        A = np.array([normal(*unit) for unit in held])
        mu = -np.linalg.solve(A @ A.T, A @ v)
        return v + mu @ A, mu

    def margin(state: Any) -> Any:
        _, force, g = plain(state, on)
        towards = np.where(on, g, -g)
        for k, (i, n) in enumerate(held):
            mu = moving(state, on, held)[1][k]
            towards[i, n] = min(-mu, mu - (1.0 - s) * force[i, n])
        return towards

    def event(_: float, state: Any) -> float:
        return float(margin(state).min()) + BEHIND

    event.terminal, event.direction = True, -1.0  # type: ignore[attr-defined]
    t, state, found, log = 0.0, theta, [], []
    for time in times:
        while t < time:
            slow = max(1.0, t)  # whatever is left to move at late times is slow
            part = solve_ivp(
                lambda _, z: moving(z, on, held)[0], (t, min(time, t + slow)), state, method="DOP853", events=event,
                rtol=1e-11, atol=1e-13, max_step=0.05 * slow,
            )  # fmt: skip
            t, state = float(part.t[-1]), part.y[:, -1]
            if part.status != 1:
                continue
            i, n = (int(k) for k in np.unravel_index(np.argmin(margin(state)), (m, N)))
            if (i, n) not in held:
                up, down = on.copy(), on.copy()
                up[i, n], down[i, n] = True, False
                speed_on, speed_off = (normal(i, n) @ moving(state, side, held)[0] for side in (up, down))
                if speed_on < 0.0 < speed_off:
                    held.append((i, n))
                    on[i, n] = False
                else:
                    on[i, n] = not on[i, n]
                log.append((t, i, n, "held" if (i, n) in held else "on" if on[i, n] else "off"))
            # Held units whose slope has left (s, 1) go, at once where another unit's event has done that.
            while held and min(margin(state)[unit] for unit in held) < -0.5 * BEHIND:
                i, n = min(held, key=lambda unit: margin(state)[unit])
                mu = moving(state, on, held)[1][held.index((i, n))]
                held.remove((i, n))
                on[i, n] = mu < 0.0
                log.append((t, i, n, "on" if on[i, n] else "off"))
        found.append(state)
    return Followed(np.array(found), log)


class Rounded(NamedTuple):
    """theta(T) of the limit of sharp kinks, and how far the two sharpest activations are apart, relatively."""

    theta: Any
    uncertainty: float


def rounded(case: KinkCase, time: float, width: float = 1e-6, *, plain: bool = False) -> Rounded:
    """Any depth: softplus-like kinks of `width` and half of it by SciPy's Radau, extrapolated to sharp ones.

    Above the first layer widths are relative to what comes in. Were all of them `width` (`plain`), a layer whose input
    comes from one unit at its kink would be inside its own rounding: slopes of units that this signal turns on and of
    those that it turns off are both near 1/2 then, and what they send back no gradient of the network itself near there
    sends, so that limits of such flows need not solve the inclusion.
    """
    model, theta, X, y = case
    more = max(SAMPLES - len(y), 0)  # one compiled shape: samples of weight zero
    arguments = (np.pad(X, ((0, more), (0, 0))), np.pad(y, (0, more)), np.pad(np.full(len(y), 1.0 / len(y)), (0, more)))
    ends = []
    for eps in (width, 0.5 * width):
        rest = (*arguments, model.negative_slope, eps, model.width, model.depth, plain)
        end = solve_ivp(
            lambda _, z, rest=rest: np.asarray(_slope(z, *rest)), (0.0, time), theta, method="Radau",
            jac=lambda _, z, rest=rest: np.asarray(_jacobian(z, *rest)), rtol=1e-9, atol=1e-12,
        )  # fmt: skip
        assert end.success
        ends.append(end.y[:, -1])
    limit = 2.0 * ends[1] - ends[0]
    return Rounded(limit, float(np.linalg.norm(ends[1] - ends[0]) / np.linalg.norm(limit)))


@partial(jax.jit, static_argnums=(6, 7, 8))
def _slope(theta: Any, X: Any, y: Any, weights: Any, s: Any, eps: Any, m: int, depth: int, plain: bool) -> Any:
    def loss(z: Any) -> Any:
        signal, begin, width = X.T, 0, eps
        for rows, columns in [(m, X.shape[1]), *[(m, m)] * (depth - 2), (1, m)]:
            raw = z[begin : begin + rows * columns].reshape(rows, columns) @ signal
            begin += rows * columns
            signal = s * raw + (1.0 - s) * width * jnp.logaddexp(0.0, raw / width)
            width = eps if plain else eps * jnp.sqrt((signal**2).sum(0) + NOTHING**2)
        return (weights * (raw[0] - y) ** 2).sum() / 2.0

    return -jax.grad(loss)(theta)


@partial(jax.jit, static_argnums=(6, 7, 8))
def _jacobian(theta: Any, X: Any, y: Any, weights: Any, s: Any, eps: Any, m: int, depth: int, plain: bool) -> Any:
    return jax.jacfwd(lambda z: _slope(z, X, y, weights, s, eps, m, depth, plain))(theta)


def off_the_inclusion(case: KinkCase, before: Any, after: Any) -> float:
    """Relative distance of after - before from the cone of the gradients around: zero for solutions of the inclusion.

    Clarke's subdifferential is the convex hull of gradients at points nearby, which are drawn, off all kinks.
    """
    model, _, X, y = case
    points = 0.5 * (before + after) + 1e-6 * np.random.default_rng(0).normal(size=(200, model.size))
    gradients = np.array([model.vjp(point, X, y - model.outputs(point, X)) for point in points])
    moved = after - before
    _, missed = nnls(gradients.T / np.linalg.norm(gradients), moved / np.linalg.norm(moved))
    return float(missed)


def descended(case: KinkCase, time: float, step: float) -> Any:
    """Gradient descent with small steps, the slope at a kink that of the negative side."""
    model, theta, X, y = case
    theta, m, s = theta.copy(), model.width, model.negative_slope
    shapes = [(m, X.shape[1]), *[(m, m)] * (model.depth - 2), (1, m)]
    cuts = np.cumsum([rows * columns for rows, columns in shapes])[:-1]
    for _ in range(round(time / step)):
        layers = [part.reshape(shape) for part, shape in zip(np.split(theta, cuts), shapes, strict=True)]
        signals, slopes = [X.T], []
        for W in layers[:-1]:
            raw = W @ signals[-1]
            slopes.append(np.where(raw > 0.0, 1.0, s))
            signals.append(slopes[-1] * raw)
        back = (layers[-1] @ signals[-1] - y) / len(y)
        gradients = [back @ signals[-1].T]
        for k in range(len(layers) - 2, -1, -1):
            back = slopes[k] * (layers[k + 1].T @ back)
            gradients.append(back @ signals[k].T)
        theta -= step * np.concatenate([g.ravel() for g in gradients[::-1]])
    return theta
