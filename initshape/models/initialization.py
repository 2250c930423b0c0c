"""From the spec of a model and its initialization to the model and its first parameters."""

from __future__ import annotations

from initshape.models.base import AbstractModel
from initshape.models.initial_diagonal import initialize_diagonal
from initshape.models.initial_diagonal import scale_shape_layers as scale_shape_layers
from initshape.models.initial_network import initialize_network
from initshape.models.initial_neuron import initialize_neuron
from initshape.models.initial_values import InitializationError as InitializationError
from initshape.models.initial_values import Vector
from initshape.spec.init import InitSpec, UploadedInit
from initshape.spec.model import Diagonal, ModelSpec, SingleNeuron


def initialize(model: ModelSpec, init: InitSpec, dimension: int) -> tuple[AbstractModel, Vector]:
    """The model on `dimension` features and theta(0).

    **Errors**: InitializationError when lists do not have one entry a coordinate, or named arrays are missing.
    """
    if isinstance(init, UploadedInit):
        return initialize(model, init.opened(), dimension)
    if isinstance(model, Diagonal):
        return initialize_diagonal(model, init, dimension)
    if isinstance(model, SingleNeuron):
        return initialize_neuron(model, init, dimension)
    return initialize_network(model, init, dimension)
