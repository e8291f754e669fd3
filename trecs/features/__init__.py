"""From events and catalogue rows to tensors: what is fitted, and where data becomes a batch."""
