"""The adapter members of the protocol for any network that PEFT can wrap."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from peft import PeftModel
from torch.nn import Parameter

from bifrons.gradients import SharedParameter
from bifrons.models import adapter as adapters
from bifrons.protocol import AdapterSettings, Identity


class Adapted:
    """A network, the adapter that may be on it, and whose it is."""

    def __init__(self, network: Any, sites: adapters.Sites, identity: Identity) -> None:
        self.network = network
        self.sites = sites
        self.adapted: PeftModel | None = None
        self._identity = identity

    @property
    def identity(self) -> Identity:
        return self._identity

    def add_adapter(self, settings: AdapterSettings) -> None:
        """Raises ValueError when there is one already."""
        if self.adapted is not None:
            raise ValueError("the model already has an adapter; remove it first")
        self.adapted = adapters.add(self.network, settings, self.sites)

    def remove_adapter(self) -> None:
        if self.adapted is not None:
            adapters.remove(self.adapted, self.network)
            self.adapted = None

    def save_adapter(self, folder: Path, *, writes: bool = True) -> None:
        """Of a sharded model all processes call this, and one `writes`."""
        known = self.identity
        card = {
            "base": known.name,
            "family": known.family,
            "fingerprint": known.fingerprint,
            "revision": known.revision,
            "dtype": known.facts["dtype"],
        }
        tensors = adapters.whole_tensors(self.trained())
        if writes:
            adapters.save(self.trained(), folder, card, tensors)

    def load_adapter(self, folder: Path) -> None:
        """Replace the adapter by one from disk. Raises ValueError for an adapter of another model; the old one then
        stays.
        """
        adapters.check_card(folder, self.identity.fingerprint, self.identity.name)
        self.remove_adapter()
        self.adapted = adapters.load(self.network, folder)

    def trained(self) -> PeftModel:
        if self.adapted is None:
            raise ValueError("the model has no adapter; add or load one first")
        return self.adapted

    @contextmanager
    def base_only(self) -> Iterator[None]:
        if self.adapted is None:
            yield
            return
        try:
            with self.adapted.disable_adapter():
                yield
        finally:
            adapters.freeze_again(self.adapted)

    @contextmanager
    def dropout(self, share: float) -> Iterator[None]:
        with adapters.dropping(self.trained(), share):
            yield

    def shared_parameters(self) -> list[SharedParameter]:
        return adapters.shared(self.trained(), self.sites)

    def head_parameters(self) -> list[tuple[str, Parameter]]:
        return adapters.head(self.trained(), self.sites)
