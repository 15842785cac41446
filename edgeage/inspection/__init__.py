"""Say what a file is: every format edgeage reads or makes, recognised by what is in it."""

from edgeage.inspection.finding import Finding, Table
from edgeage.inspection.inspect import inspect_file

__all__ = ["Finding", "Table", "inspect_file"]
