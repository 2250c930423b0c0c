"""Regularizers: Q, its gradient and inverse, the interpolating w that minimises it, and the conditions of the claim.

Nothing here knows a trajectory: `fit` solves min Q(w) s.t. X w = y. NumPy and SciPy only.
"""

from initshape.regularizers.balanced_potential import BalancedPotential as BalancedPotential
from initshape.regularizers.base import AbstractMirrorState as AbstractMirrorState
from initshape.regularizers.base import AbstractPotential as AbstractPotential
from initshape.regularizers.base import AbstractRegularizer as AbstractRegularizer
from initshape.regularizers.directions import angle as angle
from initshape.regularizers.directions import direction_distance as direction_distance
from initshape.regularizers.directions import margins as margins
from initshape.regularizers.directions import misclassification as misclassification
from initshape.regularizers.directions import normalised_margin as normalised_margin
from initshape.regularizers.entry import ClosedForm as ClosedForm
from initshape.regularizers.entry import Entry as Entry
from initshape.regularizers.fit import Fit as Fit
from initshape.regularizers.hyperbolic import HyperbolicEntropy as HyperbolicEntropy
from initshape.regularizers.kkt import evaluate_kkt as evaluate_kkt
from initshape.regularizers.l1 import L1Norm as L1Norm
from initshape.regularizers.max_margin_entry import excess_value as excess_value
from initshape.regularizers.max_margin_registry import MARGIN_ENTRIES as MARGIN_ENTRIES
from initshape.regularizers.max_margin_registry import fit_margin as fit_margin
from initshape.regularizers.max_margin_registry import margin_catalog as margin_catalog
from initshape.regularizers.neighbours import Neighbours as Neighbours
from initshape.regularizers.neuron_potential import NeuronPotential as NeuronPotential
from initshape.regularizers.one_sided import OneSidedEntropy as OneSidedEntropy
from initshape.regularizers.quadratic import QuadraticPotential as QuadraticPotential
from initshape.regularizers.registry import ENTRIES as ENTRIES
from initshape.regularizers.registry import catalog as catalog
from initshape.regularizers.registry import fit as fit
from initshape.regularizers.registry import fit_many as fit_many
from initshape.regularizers.separable import SeparablePotential as SeparablePotential
