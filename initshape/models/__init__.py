"""Parametrisations w = F(theta), their initialization and conserved quantities; NumPy and JAX alike, no JAX import."""

from initshape.models.base import AbstractModel as AbstractModel
from initshape.models.base import Array as Array
from initshape.models.base import NotLinearError as NotLinearError
from initshape.models.diagonal import Diagonal as Diagonal
from initshape.models.fully_connected import FullyConnected as FullyConnected
from initshape.models.initialization import InitializationError as InitializationError
from initshape.models.initialization import initialize as initialize
from initshape.models.initialization import scale_shape_layers as scale_shape_layers
from initshape.models.single_neuron import SingleNeuron as SingleNeuron
