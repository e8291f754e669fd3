"""The loss, the devices and the training loop."""
