"""Whatever a user has of an image, to one RGB picture."""

from bifrons.records.pictures import Picture, to_image

__all__ = ["Picture", "to_image"]
