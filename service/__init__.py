"""The HTTP face of initshape: thin routers over initshape.store. Never imports jax; matplotlib only for a figure."""
