"""The exported SavedModel: what is in it, how it is written, how it is used."""
