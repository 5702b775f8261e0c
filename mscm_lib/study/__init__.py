"""The study as a pipeline: settings, stages, tables, stripped copies, rehearsal."""
