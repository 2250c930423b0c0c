"""Classification: gradient flow along the margin path, in the variable gamma = -ln L."""

from initshape.flows.margin.integrate import LOSSES as LOSSES
from initshape.flows.margin.integrate import integrate_margin as integrate_margin
from initshape.flows.margin.settings import MarginSettings as MarginSettings
