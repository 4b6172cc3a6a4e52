"""The window of the feedback task; beside the dashboard's, the only folder that knows Qt."""
