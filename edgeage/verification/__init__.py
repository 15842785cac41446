"""Run one network in every engine there is and compare them layer by layer."""

from edgeage.verification.engines import ENGINES, Engine
from edgeage.verification.report import Verification
from edgeage.verification.subject import Subject, find_subject
from edgeage.verification.verify import verify

__all__ = ["ENGINES", "Engine", "Subject", "Verification", "find_subject", "verify"]
