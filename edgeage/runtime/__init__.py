"""Run compiled models: one small interface, one adapter a runtime."""

from edgeage.runtime.backend import Backend, Session

__all__ = ["Backend", "Session"]
