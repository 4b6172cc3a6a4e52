"""Earlier people as a prior: what their trials say of the next person's."""
