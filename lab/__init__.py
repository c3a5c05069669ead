"""Real kernels in QEMU as audit targets: `python -m lab up`."""
