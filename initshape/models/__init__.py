"""Parametrisations w = F(theta), their initialization and conserved quantities; NumPy and JAX alike, no JAX import."""

from initshape.models.base import AbstractModel as AbstractModel
from initshape.models.base import Array as Array
from initshape.models.diagonal import Diagonal as Diagonal
from initshape.models.initialization import InitializationError as InitializationError
from initshape.models.initialization import initialize as initialize
from initshape.models.initialization import scale_shape_layers as scale_shape_layers
