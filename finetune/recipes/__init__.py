"""Work on an accelerator, as scripts to read top to bottom. Run as child processes, never imported."""

import logging
import os

# Without this an idle OpenMP thread spins, and two of them on a busy machine take ten times as long.
# It is read when torch is first imported, which every recipe does after this line.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# It recommends kernels that would be downloaded, on import and thus before a recipe has set up its log.
logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
