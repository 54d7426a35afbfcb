"""The life of a session: built from a snapshot, run, suspended, resumed, ended."""
