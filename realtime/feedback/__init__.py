"""A task with feedback: targets, a bar or a cursor that the published streams move, hits and times."""
