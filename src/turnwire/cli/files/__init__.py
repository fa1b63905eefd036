"""Read-only file tools below one folder that a model cannot leave."""

from turnwire.cli.files.tools import FileTools

__all__ = ["FileTools"]
