"""Run compiled models: one small interface, one adapter a runtime."""

from edgeage.runtime.backend import Answer, Backend, Session

__all__ = ["Answer", "Backend", "Session"]
