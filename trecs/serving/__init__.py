"""The exported SavedModel: what is in it, how it is written, served and asked."""

from trecs.serving.client_remote import Client

__all__ = ["Client"]
