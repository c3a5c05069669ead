"""Property tests run without a clock: these machines are noisy. ``make fuzz`` looks longer."""

from hypothesis import settings

settings.register_profile("default", deadline=None)
settings.load_profile("default")
