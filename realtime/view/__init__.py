"""A signal seen before there is any model: an LSL client, as the dashboard is."""
