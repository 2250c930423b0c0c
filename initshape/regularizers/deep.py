"""The potential of diagonal networks with three or more layers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from initshape.regularizers.balanced_branch import balanced
from initshape.regularizers.base import AbstractMirrorState, AbstractPotential, Array
from initshape.regularizers.branch import TIED, AbstractBranch, Mask
from initshape.regularizers.general_branch import general

_EPS = float(np.finfo(float).eps)
_LARGEST = 1e300
_LONGEST_SEARCH = 2000


@dataclass(frozen=True, eq=False)
class DeepPotential(AbstractPotential):
    """Q of w = prod_l u_l^+ - prod_l u_l^-, L >= 3, for any initial layers.

    With du_l^+/dR = prod_{k != l} u_k^+ and du_l^-/dR = -prod_{k != l} u_k^- everything is a function of R, and
    grad Q(w) = R(w), Q(w) = int_{w(0)}^w R. Each branch answers for itself; here they meet.

    **Shape**: `w0` (d,).

    **Source**: Woodworth et al. 2020 (all layers equal, w(0) = 0); other shapes by the Legendre argument of
    Azulay et al. 2021, derived here: grad Q = R, psi = R w - Q.
    """

    plus: AbstractBranch
    minus: AbstractBranch
    w0: Array

    latex: ClassVar[str] = (
        r"Q(w) = \sum_i \int_{w_i(0)}^{w_i} R_i(v)\,dv, \quad"
        r" \frac{dw_i}{dR_i} = \sum_{\pm} \sum_{l=1}^{L} \prod_{k \ne l} (u_{k,i}^{\pm})^2,"
        r" \quad (u_l^{\pm})^2 - (u_k^{\pm})^2 \text{ conserved}"
    )

    @classmethod
    def of(cls, layers: Array) -> Self:
        """From initial layers. **Shape**: (2, L, d), [plus, minus] x layers x coordinates."""
        plus, minus = (_branch(branch) for branch in layers)
        return cls(plus=plus, minus=minus, w0=np.prod(layers[0], axis=0) - np.prod(layers[1], axis=0))

    def value(self, w: Array) -> float:
        return float(np.sum(self.terms(w)))

    def gradient(self, w: Array) -> Array:
        """R(w): -inf and inf at and beyond the ends of the domain; 0 for a frozen coordinate."""
        lower, upper = self.domain()
        R = self._at(w).R
        R = np.where((w <= lower) & (lower < upper), -np.inf, R)
        return np.where((w >= upper) & (lower < upper), np.inf, R)

    def terms(self, w: Array) -> Array:
        """Q = R (w - w0) - area, which does not feel the rounding of R; or the branches' costs, where that cancels.

        It does where a coordinate decays far below its w0: R is huge there, Q is not.
        """
        lower, upper = self.domain()
        inside = ((lower < w) & (w < upper)) | (w == self.w0)
        goal = np.where(inside, w, self.w0)
        state = self._at(w)
        area, cost = state.plus.area() + state.minus.area(), state.plus.cost() + state.minus.cost()
        terms = np.where(area <= cost, state.R * (goal - self.w0) - area, cost + state.R * self._gap(state, goal))
        return np.where(inside, np.maximum(terms, 0.0), np.inf)

    def inverse(self, R: Array) -> Array:
        """w(R), in steps inside the domain; signed infinity where R lies beyond a blow-up."""
        state, left = self.start(), R
        with np.errstate(over="ignore", invalid="ignore"):
            for _ in range(1000):
                reach = state.reach(left > 0.0)
                change = np.clip(left, -reach, reach)
                if not np.any(change) or not np.all(np.abs(state.w) < _LARGEST):
                    break
                state, _ = state.advance(change)
                left = np.where(np.abs(left) <= reach, 0.0, left - change)
        return np.where(left == 0.0, state.w, np.copysign(np.inf, left))

    def start(self) -> DeepState:
        zero = np.zeros_like(self.w0)
        return DeepState.join(self.plus, self.minus, zero, self.w0)

    def domain(self) -> tuple[Array, Array]:
        plus_low, plus_high = self.plus.extremes()
        minus_low, minus_high = self.minus.extremes()
        lower = np.where(np.isinf(plus_low) | np.isinf(minus_high), -np.inf, 0.0)
        return lower, np.where(np.isinf(plus_high) | np.isinf(minus_low), np.inf, 0.0)

    def _at(self, w: Array) -> DeepState:
        """The state with a given predictor; w0 where that is outside the domain.

        Newton in R for each coordinate. A step is halved where the gap changes sign and does not shrink: asking for
        a fixed decrease would make it crawl, since far from a blow-up the gap hardly changes.
        """
        lower, upper = self.domain()
        goal = np.where((lower < w) & (w < upper), w, self.w0)
        size = np.where(self._near(goal), np.abs(goal - self.w0), np.abs(goal))
        state = self.start()
        gap = self._gap(state, goal)
        done = np.zeros(gap.shape, dtype=bool)
        for _ in range(_LONGEST_SEARCH):
            with np.errstate(divide="ignore", invalid="ignore"):
                change = np.where(gap == 0.0, 0.0, gap / state.slope)
            reach = state.reach(gap > 0.0)
            change = np.clip(change, -reach, reach)
            done |= (np.abs(change) <= 2.0 * _EPS * np.abs(state.R)) | (np.abs(gap) <= 4.0 * _EPS * size)
            if np.all(done):
                break
            change = np.where(done, 0.0, change)
            for _ in range(60):
                moved, _ = state.advance(change)
                new_gap = self._gap(moved, goal)
                worse = (np.sign(new_gap) != np.sign(gap)) & (np.abs(new_gap) >= 0.9 * np.abs(gap)) & ~done
                if not np.any(worse):
                    break
                change = np.where(worse, 0.5 * change, change)
            # at the rounding floor the gap no longer shrinks
            done |= (np.abs(new_gap) >= np.abs(gap)) & (np.abs(gap) <= 1e-12 * (size + moved.coarse))
            state, gap = moved, new_gap
        return state

    def _near(self, w: Array) -> Mask:
        """Where w - w0 is exact; elsewhere w says more."""
        return np.asarray(np.abs(w - self.w0) < 0.5 * np.abs(self.w0))

    def _gap(self, state: DeepState, w: Array) -> Array:
        """w less the state's, in whichever terms are finer."""
        return np.where(self._near(w), (w - self.w0) - state.moved, w - state.w)


@dataclass(frozen=True, eq=False)
class DeepState(AbstractMirrorState):
    """Both branches at one R. **Shape**: (d,).

    `moved` = w - w(0) is a sum of two terms of one sign. w is w(0) + moved or the difference of the two products,
    whichever rounds less: lazy coordinates live in the last digits of the products, decaying ones in those of w(0).
    `coarse` is the size of the numbers that w was made of.
    """

    plus: AbstractBranch
    minus: AbstractBranch
    R: Array
    w0: Array
    moved: Array
    w: Array
    coarse: Array
    slope: Array

    @classmethod
    def join(cls, plus: AbstractBranch, minus: AbstractBranch, R: Array, w0: Array) -> Self:
        """The state of two branches that stand at R and -R."""
        rise, fall = plus.change, minus.change
        moved = rise - fall
        by_change = np.abs(w0) + np.abs(rise) + np.abs(fall)
        by_product = np.abs(plus.product) + np.abs(minus.product)
        w = np.where(by_change <= by_product, w0 + moved, plus.product - minus.product)
        coarse = np.minimum(by_change, by_product)
        return cls(plus=plus, minus=minus, R=R, w0=w0, moved=moved, w=w, coarse=coarse, slope=plus.slope + minus.slope)

    def layers(self, initial: Array) -> Array:
        """All layers here, from those at R = 0. **Shape**: (2, L, d) -> (2, L, d)."""
        return np.stack([self.plus.layers(initial[0]), self.minus.layers(initial[1])])

    def reach(self, forward: np.ndarray) -> Array:
        """How far R may move, up where `forward`, else down, before either branch has grown by e^8."""
        return np.minimum(self.plus.reach(forward), self.minus.reach(~forward))

    def longest_step(self, direction: Array) -> float:
        size = np.abs(direction)
        with np.errstate(divide="ignore", invalid="ignore"):
            steps = np.where(size > 0.0, self.reach(direction > 0.0) / size, np.inf)
        return float(np.min(steps, initial=np.inf))

    def advance(self, change: Array) -> tuple[Self, Array]:
        plus, gain = self.plus.advance(change)
        minus, loss = self.minus.advance(-change)
        return self.join(plus, minus, self.R + change, self.w0), gain + loss


def _branch(layers: Array) -> AbstractBranch:
    """Closed forms where all coordinates are balanced, quadrature otherwise. **Shape**: (L, d)."""
    signs, sizes = np.sign(layers), np.abs(layers)
    smallest, largest = np.min(sizes, axis=0), np.max(sizes, axis=0)
    if np.all((largest - smallest) * (largest + smallest) <= TIED * smallest**2):
        return balanced(signs, sizes)
    return general(signs, sizes)
