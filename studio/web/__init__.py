"""HTTP: JSON under /api, pages elsewhere. Talks to the runner by its verbs and reads the log."""
