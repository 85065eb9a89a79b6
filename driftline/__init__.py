"""The front door: settings, command line, web, embedded stack, demo and replay."""
