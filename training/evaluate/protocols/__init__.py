"""The downstream data sets, each from its published folder layout."""
