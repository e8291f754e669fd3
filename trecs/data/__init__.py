"""Data: tables, times, the event log, the item catalogue, splits and sequences; no TensorFlow."""
