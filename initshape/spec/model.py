"""Models: how the parameters make the linear predictor."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from initshape.spec.base import Integer, Spec


class Diagonal(Spec):
    """Diagonal linear network, w = prod_l u_l^+ - prod_l u_l^- coordinate by coordinate.

    Source: Woodworth et al. 2020; Azulay et al. 2021, section 4.
    """

    kind: Literal["diagonal"]
    depth: Annotated[Integer, Field(ge=2, le=6, description="Number of layers L.")] = 2


class SingleNeuron(Spec):
    """f = phi w.x with phi the product of `scalar_layers` scalars.

    Source: Azulay et al. 2021, section 3 (one scalar layer).
    """

    kind: Literal["single_neuron"]
    scalar_layers: Annotated[Integer, Field(ge=1, le=6, description="Scalars after the neuron.")] = 1


class FullyConnected(Spec):
    """f = W_L act(W_{L-1} ... act(W_1 x)), scalar output, no biases.

    Source: Azulay et al. 2021, section 6 (two layers), and their strictly balanced networks of any depth.
    """

    kind: Literal["fully_connected"]
    depth: Annotated[Integer, Field(ge=2, le=8, description="Number of weight matrices L.")] = 2
    width: Annotated[Integer, Field(ge=1, le=4096, description="Hidden units of every hidden layer.")]
    activation: Annotated[
        Literal["identity", "relu", "leaky_relu"],
        Field(
            description="relu has slope 0 below zero, leaky_relu 0.01. A unit at zero has the slope of the negative "
            "side, and is held at zero by gradient_flow where both sides push it there (Clarke's subdifferential)."
        ),
    ] = "identity"


ModelSpec = Annotated[Diagonal | SingleNeuron | FullyConnected, Field(discriminator="kind")]
