"""The front door: settings, command line, web, embedded stack, demo and replay."""

__version__ = "0.1.0"
