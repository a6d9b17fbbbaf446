"""A stand-in for the LiteRT package on the host that is measured; STAND_IN is a folder that outlives the agent."""

import os

__version__ = "2" if os.path.exists(os.path.join(os.environ["STAND_IN"], "another")) else "1"
