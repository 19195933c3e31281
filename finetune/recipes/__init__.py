"""Work on an accelerator, as scripts to read top to bottom. Run as child processes, never imported."""

import os

# Without this an idle OpenMP thread spins, and two of them on a busy machine take ten times as long.
# It is read when torch is first imported, which every recipe does after this line.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
