"""Simulated gradient flow of all parameters, in JAX float64; knows no regularizer and no mirror map."""

import jax

jax.config.update("jax_enable_x64", True)  # type: ignore[no-untyped-call]

from initshape.flows.device import lanes_wanted as lanes_wanted  # noqa: E402
from initshape.flows.integrate import integrate as integrate  # noqa: E402
from initshape.flows.integrator import AbstractIntegrator as AbstractIntegrator  # noqa: E402
from initshape.flows.lanes import integrate_many as integrate_many  # noqa: E402
from initshape.flows.loss import AbstractLoss as AbstractLoss  # noqa: E402
from initshape.flows.loss import SquareLoss as SquareLoss  # noqa: E402
from initshape.flows.margin import MarginSettings as MarginSettings  # noqa: E402
from initshape.flows.margin import integrate_margin as integrate_margin  # noqa: E402
from initshape.flows.margin_loss import ExponentialLoss as ExponentialLoss  # noqa: E402
from initshape.flows.margin_loss import LogisticLoss as LogisticLoss  # noqa: E402
from initshape.training.settings import Completion as Completion  # noqa: E402
from initshape.training.settings import FlowProgress as FlowProgress  # noqa: E402
from initshape.training.settings import FlowSettings as FlowSettings  # noqa: E402
from initshape.training.settings import FlowSolution as FlowSolution  # noqa: E402
