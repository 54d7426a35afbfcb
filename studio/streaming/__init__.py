"""The log as a stream; knows no HTTP."""
