"""Out again: an adapter as plain PEFT files or as a merged checkpoint, with a card from its run's records."""

from bifrons.export.adapter import DTYPES, Exported, export_adapter
from bifrons.export.push import push

__all__ = ["DTYPES", "Exported", "export_adapter", "push"]
