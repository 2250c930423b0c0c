"""What the compiled programs are made of: double precision throughout, and nothing that calls back to the host."""

from __future__ import annotations

import re
from functools import partial
from typing import Any

import jax
import numpy as np
import pytest
from flow_oracles import biased

from initshape.flows import compiled
from initshape.flows.block import advance
from initshape.flows.driver import Run
from initshape.flows.lane_block import LaneLimits, advance_lanes
from initshape.flows.loss import SquareLoss
from initshape.flows.radau import Radau
from initshape.flows.start import start
from initshape.training.settings import FlowSettings


def program(lanes: bool) -> tuple[Any, tuple[Any, ...]]:
    """The block with its arguments."""
    case = biased(4)
    begin = start(case.model, SquareLoss(), case.theta, case.X, case.y, {}, ())
    model, *arguments = Run(begin, Radau(), FlowSettings(), print).arguments
    static = (model, SquareLoss(), Radau(), 8)
    if not lanes:
        return partial(advance, *static), (*arguments, np.int64(1), np.int64(1))
    batch: Any = jax.tree.map(lambda leaf: np.stack([leaf, leaf]), arguments)
    limits = LaneLimits(np.int64(1), np.int64(0), np.ones(2, dtype=np.int64))
    return partial(advance_lanes, *static, False), (*batch, limits)


def unconditional(jaxpr: Any) -> set[str]:
    """Names of the operations that run whatever any branch decides."""
    names: set[str] = set()
    for equation in jaxpr.eqns:
        names.add(equation.primitive.name)
        if equation.primitive.name != "cond":
            for parameter in jax.tree.leaves(equation.params, is_leaf=lambda leaf: hasattr(leaf, "eqns")):
                inner = getattr(parameter, "jaxpr", parameter)
                names |= unconditional(inner) if hasattr(inner, "eqns") else set()
    return names


@pytest.mark.parametrize("lanes", [False, True], ids=["single", "lanes"])
def test_double_precision_and_no_way_back_to_the_host(lanes: bool) -> None:
    block, arguments = program(lanes)
    text = jax.jit(block).lower(*arguments).as_text()
    assert "f64" in text
    assert not re.search(r"\bf(16|32)\b|\bbf16\b|xf(16|32)>", text)
    assert not re.search(r"callback|infeed|outfeed", text)


def test_lanes_factorise_only_where_some_lane_asks() -> None:
    block, arguments = program(lanes=True)
    found = unconditional(jax.make_jaxpr(block)(*arguments).jaxpr)
    assert {"while", "cond", "triangular_solve"} <= found
    assert not {"cholesky", "lu"} & found
    everything = str(jax.make_jaxpr(block)(*arguments))
    assert "cholesky" in everything
    assert "lu" in everything


def applies(options: dict[str, Any]) -> bool:
    """Whether XLA compiles something with them."""
    try:
        jax.jit(lambda x: 2.0 * x).lower(1.0).compile(compiler_options=options)
    except jax.errors.JaxRuntimeError:
        return False
    return True


@pytest.mark.skipif(jax.default_backend() != "cpu", reason="the options are for CPU")
def test_of_the_compiler_options_those_that_xla_does_not_know_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    known = {name: value for name, value in compiled.OPTIONS.items() if applies({name: value})}
    assert known
    for more in ({}, {"xla_cpu_no_such_option": True}):
        # the real compiler refuses it, as another release of it may refuse one of ours
        monkeypatch.setattr(compiled, "OPTIONS", compiled.OPTIONS | more)
        assert compiled._known_options.__wrapped__() == known
