"""One writer to a run: ``lease`` is what the others see of it, ``claiming`` how one gets it."""
