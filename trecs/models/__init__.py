"""The Keras 3 layers and the two-tower model."""
