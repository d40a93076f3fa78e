"""LoRA on a family's body, a trainable copy of its image head, and their files (PEFT, safetensors)."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from peft.utils.constants import DUMMY_TARGET_MODULES
from peft.utils.other import ModulesToSaveWrapper
from torch import Tensor, nn
from torch.nn import Parameter

from bifrons.gradients import SharedParameter
from bifrons.models.lora import lean
from bifrons.protocol import AdapterSettings
from bifrons.records import read_json, write_json

LAYER = re.compile(r"\.layers\.(\d+)\.")
CARD = "bifrons.json"  # beside PEFT's own files: which base an adapter belongs to


@dataclass(frozen=True, slots=True)
class Sites:
    """Where in a family's network an adapter sits: the dotted name of the body, the linear maps in its layers, and the
    last name of the image head.
    """

    body: str
    projections: tuple[str, ...]
    head: str

    @property
    def body_name(self) -> str:
        return self.body.split(".")[-1]

    @property
    def targets(self) -> str:
        return rf".*{self.body_name}.*\.({'|'.join(self.projections)})"


def add(network: Any, settings: AdapterSettings, sites: Sites) -> PeftModel:
    """Wrap the network in place. Every trainable tensor is fp32, the head's copy included (PEFT leaves that in the
    base's dtype).
    """
    config = LoraConfig(
        r=settings.rank,
        lora_alpha=settings.alpha,  # pyright: ignore[reportArgumentType]
        lora_dropout=settings.dropout,
        target_modules=DUMMY_TARGET_MODULES if settings.full else sites.targets,
        modules_to_save=copied(network, settings, sites) or None,
    )
    with torch.random.fork_rng(devices=[]), quiet():
        torch.manual_seed(settings.seed)
        wrapped = get_peft_model(network, config)
    return prepared(wrapped)


def copied(network: Any, settings: AdapterSettings, sites: Sites) -> list[str]:
    """Modules of which a trainable copy is made: the image head, and every projection where all weights train."""
    bodies = [f"{sites.body_name}.{name}" for name, _ in network.get_submodule(sites.body).named_modules()]
    projections = [name for name in bodies if name.split(".")[-1] in sites.projections]
    return (projections if settings.full else []) + ([sites.head] if settings.train_head else [])


def load(network: Any, folder: Path) -> PeftModel:
    with quiet():
        return prepared(PeftModel.from_pretrained(network, str(folder), is_trainable=True))


def remove(wrapped: PeftModel, network: nn.Module) -> None:
    """Give the base network back. PEFT's `unload` leaves the trained copy of a module in its place."""
    originals = [(n, m.original_module) for n, m in network.named_modules() if isinstance(m, ModulesToSaveWrapper)]
    wrapped.unload()
    for name, original in originals:
        network.set_submodule(name, original)
    network.requires_grad_(False)


@contextmanager
def quiet() -> Iterator[None]:
    """PEFT reads an attribute that newer transformers call deprecated; that is theirs to settle."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*is_gradient_checkpointing.*", category=FutureWarning)
        yield


def prepared(wrapped: Any) -> PeftModel:
    for parameter in wrapped.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()
    for module in dropouts(wrapped):
        module.p = 0.0
    let_copies_speak_the_bodys_dtype(wrapped)
    lean(wrapped)
    wrapped.train()  # dropout is switched by its p, never by eval()
    assert_frozen(wrapped)
    return wrapped


def assert_frozen(wrapped: nn.Module) -> None:
    """Only adapter tensors may be trainable: leaving `disable_adapter` makes PEFT unfreeze more than it froze."""
    for name, parameter in wrapped.named_parameters():
        trainable = "lora_" in name or ".modules_to_save." in name
        assert parameter.requires_grad == trainable, f"{name}: requires_grad is {parameter.requires_grad}"


def freeze_again(wrapped: nn.Module) -> None:
    for name, parameter in wrapped.named_parameters():
        parameter.requires_grad_("lora_" in name or ".modules_to_save." in name)


def let_copies_speak_the_bodys_dtype(wrapped: nn.Module) -> None:
    """The trainable copies of projections are fp32 inside a body that may be in bf16: what goes in is cast, and what
    comes out is cast back.
    """
    for wrapper in wrapped.modules():
        if not isinstance(wrapper, ModulesToSaveWrapper) or not isinstance(wrapper.original_module, nn.Linear):
            continue
        dtype = wrapper.original_module.weight.dtype
        for copy in wrapper.modules_to_save.values():
            copy.register_forward_pre_hook(lambda _module, inputs: tuple(tensor.float() for tensor in inputs))
            copy.register_forward_hook(cast_back(dtype))


def cast_back(dtype: torch.dtype) -> Callable[[nn.Module, Any, Tensor], Tensor]:
    def hook(_module: nn.Module, _inputs: Any, output: Tensor) -> Tensor:
        return output.to(dtype)

    return hook


def dropouts(wrapped: nn.Module) -> list[nn.Dropout]:
    return [m for n, m in wrapped.named_modules() if "lora_dropout" in n and isinstance(m, nn.Dropout)]


@contextmanager
def dropping(wrapped: nn.Module, share: float) -> Iterator[None]:
    if not share:  # as it is at rest: looking for the modules takes milliseconds
        yield
        return
    modules = dropouts(wrapped)
    if not modules:
        raise ValueError("the adapter was made without dropout (0), so dropout cannot be switched on")
    for module in modules:
        module.p = share
    try:
        yield
    finally:
        for module in modules:
            module.p = 0.0


def shared(wrapped: nn.Module, sites: Sites) -> list[SharedParameter]:
    found: list[SharedParameter] = []
    for name, parameter in wrapped.named_parameters():
        if "lora_" in name or (".modules_to_save." in name and f"{sites.head}." not in name):
            layer = LAYER.search(name)
            assert layer is not None, f"{name} lies in no layer"
            found.append(SharedParameter(name, parameter, int(layer[1])))
    return found


def head(wrapped: nn.Module, sites: Sites) -> list[tuple[str, Parameter]]:
    return [(n, p) for n, p in wrapped.named_parameters() if f"{sites.head}.modules_to_save." in n]


def whole_tensors(wrapped: nn.Module) -> dict[str, Tensor]:
    """What trains, on the CPU; sharded tensors are put together, which all processes have to ask for."""
    found: dict[str, Any] = {name: p.detach() for name, p in wrapped.named_parameters() if p.requires_grad}
    return {name: (t.full_tensor() if hasattr(t, "full_tensor") else t).cpu() for name, t in found.items()}


def save(wrapped: PeftModel, folder: Path, card: dict[str, Any], tensors: dict[str, Tensor]) -> None:
    wrapped.save_pretrained(
        str(folder), safe_serialization=True, save_embedding_layers=False, state_dict=tensors
    )  # asks no hub
    config = read_json(folder / "adapter_config.json")  # no machine's path belongs in it
    write_json(
        folder / "adapter_config.json",
        config | {"base_model_name_or_path": card["base"], "revision": card["revision"] or None},
    )
    (folder / "README.md").unlink(missing_ok=True)
    write_json(folder / CARD, card)


def check_card(folder: Path, fingerprint: str, name: str) -> None:
    """Raises ValueError for a folder that holds no adapter, or one of another model."""
    if not (folder / "adapter_config.json").is_file() or not (folder / "adapter_model.safetensors").is_file():
        raise ValueError(f"{folder}: holds no adapter (adapter_config.json and adapter_model.safetensors)")
    if (folder / CARD).is_file():
        card = read_json(folder / CARD)
        if card.get("fingerprint") != fingerprint:
            raise ValueError(
                f"{folder}: is an adapter of {card.get('base')!r}, whose weights are not those of {name!r}"
            )
