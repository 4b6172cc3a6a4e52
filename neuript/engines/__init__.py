"""What computes a network's logits: one contract, several engines, and the choice among them."""
