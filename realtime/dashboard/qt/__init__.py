"""The dashboard's window; the only folder that knows Qt."""
