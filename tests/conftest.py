"""Property tests run without a clock: these machines are noisy. ``make fuzz`` looks longer."""

import os
import signal

from hypothesis import settings

settings.register_profile("default", deadline=None)
#: For every save (``make check``); ``make test`` tries more.
settings.register_profile("check", deadline=None, max_examples=20)
settings.load_profile(os.environ.get("IPVS_AUDIT_TEST_PROFILE", "default"))

# A shell's background and nohup ignore them, and what a test starts would too.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)
