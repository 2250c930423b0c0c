"""Where theory takes a short cut: the flow of diagonal networks in N dual variables, and limits without any flow.

Faster than `flows`, and no evidence for theory: results say `independent: false`. Nothing here waits for a compiler.
"""

from initshape.dual.integrate import integrate_dual as integrate_dual
from initshape.dual.limit import limit as limit
