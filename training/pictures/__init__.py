"""What the model learned, as pictures."""
