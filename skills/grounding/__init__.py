"""Check what a chat model words against the evidence: what is not in it is never posted.

Answer without the model -> evidence_of -> Evidence;  text or stream -> checked -> sentences that stand, reasons
"""

from skills.grounding.check import Checked, Report, check, checked
from skills.grounding.evidence import Evidence, evidence_of

__all__ = ["Checked", "Evidence", "Report", "check", "checked", "evidence_of"]
