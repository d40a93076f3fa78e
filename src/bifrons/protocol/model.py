"""What a unified multimodal model has to offer, so that every strategy, builder and metric can work on it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from bifrons.gradients import SharedParameter
from bifrons.records import Pair

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image
    from torch import Tensor
    from torch.nn import Parameter

    from bifrons.records import GenerationPair, UnderstandingPair


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How responses are sampled.

    `temperature` 0 is greedy. `guidance` is the classifier-free guidance scale of drawing: 1 switches it off, None is
    the checkpoint's own. Noise is a function of (seed, item, position) alone; `items` names the items of a call where
    their index in it will not do.
    """

    temperature: float = 1.0
    guidance: float | None = None
    seed: int = 0
    max_new_tokens: int = 128
    batch_size: int = 16
    items: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        if self.temperature < 0:
            raise ValueError(f"sampling temperature is {self.temperature}; it cannot be below 0")
        if self.guidance is not None and self.guidance < 1:
            raise ValueError(f"guidance is {self.guidance}; 1 switches it off and less is not defined")
        if self.batch_size < 1 or self.max_new_tokens < 1:
            raise ValueError("batch_size and max_new_tokens have to be at least 1")


@dataclass(frozen=True, slots=True)
class Answer:
    """A sampled answer. `tokens` are the sampled ids without the end token; `finished` is False where the limit cut
    it.
    """

    text: str
    tokens: tuple[int, ...]
    finished: bool = True


@dataclass(frozen=True, slots=True, eq=False)
class Drawing:
    """A sampled drawing: its VQ codes in raster order, and its pixels [height, width, 3] in 0..255."""

    codes: tuple[int, ...]
    pixels: NDArray[np.uint8]

    @property
    def image(self) -> Image:
        from PIL import Image as pil

        return pil.fromarray(self.pixels)


@dataclass(frozen=True, slots=True)
class LogProbs:
    """Log-probabilities of responses, summed over their tokens in float64, and their token counts: both [pairs, 2],
    chosen first. Where the sums are estimates, `spread` [pairs] is the standard error of chosen minus rejected.
    """

    sums: Tensor
    counts: Tensor
    spread: Tensor | None = None


@dataclass(frozen=True, slots=True)
class TokenLogProbs:
    """The log-probability of every response token of some pairs: what the sums of whole responses, and of their first
    tokens, are made from.

    All four are [tokens]: fp32 log-probabilities; ids of the tokens; the response that each belongs to (2 * pair, + 1
    for rejected); and its place in that response, from 0. In no particular order. `causal` says whether each depends on
    the tokens before it alone, so that the first ones are a response of their own: true of words and of codes drawn one
    after another, false of codes that are drawn together, where a value is the code's share of the whole estimate.
    """

    values: Tensor
    tokens: Tensor
    sequence: Tensor
    position: Tensor
    num_pairs: int
    causal: bool

    def summed(self, first: int | None = None) -> LogProbs:
        """Sums over whole responses, or over no more than their `first` tokens; the counts are those summed over.

        Raises ValueError for a `first` below 1.
        """
        if first is not None and first < 1:
            raise ValueError(f"the first {first} tokens of a response were asked for; it has to be at least 1")
        values, sequence = self.values, self.sequence
        if first is not None:
            kept = self.position < first
            values, sequence = values[kept], sequence[kept]
        values = values.double()  # fp32 would lose 1e-4 of -1,400 nats, and a margin is a difference of such sums
        sums = values.new_zeros(2 * self.num_pairs).index_add(0, sequence, values)
        counts = sequence.bincount(minlength=2 * self.num_pairs)
        return LogProbs(sums.view(-1, 2), counts.view(-1, 2))


@dataclass(frozen=True, slots=True)
class Divergence:
    """KL(policy || reference) at the predicted positions of responses, summed over their tokens (nats), and their token
    counts: both [pairs, 2], chosen first.
    """

    sums: Tensor
    counts: Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class AdapterSettings:
    """LoRA on the language model's projections (Hu et al. 2021). `train_head` adds a trainable fp32 copy of the image
    head. `full` trains fp32 copies of the projections themselves instead: rank, alpha and dropout then mean nothing.
    """

    rank: int = 64
    alpha: float = 128.0
    dropout: float = 0.05
    train_head: bool = True
    seed: int = 0
    full: bool = False

    def __post_init__(self) -> None:
        if self.full and self.dropout:
            raise ValueError(
                f"full fine-tuning has no adapter that could drop inputs; dropout is {self.dropout}, not 0"
            )
        if self.rank < 1:
            raise ValueError(f"the adapter's rank is {self.rank}; it has to be at least 1")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"the adapter's dropout is {self.dropout}; it has to be in [0, 1)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Which model this is: `fingerprint` hashes the base weights, `revision` is the checkpoint's own, where it has
    one. `facts` are for people, but for `dtype`.

    `scoring` holds the settings that log-probabilities depend on beside the weights, `sampling` those that answers and
    drawings depend on beside `Sampling`: both empty where there is nothing to set.
    """

    name: str
    family: str
    fingerprint: str
    revision: str = ""
    facts: dict[str, int | float | str] = field(default_factory=dict)
    scoring: dict[str, int | float | str] = field(default_factory=dict)
    sampling: dict[str, int | float | str] = field(default_factory=dict)

    @property
    def scores_by(self) -> dict[str, Any]:
        """What the key of anything has to hold that log-probabilities of this model went into."""
        return self.weights | ({"scoring": self.scoring} if self.scoring else {})

    @property
    def samples_by(self) -> dict[str, Any]:
        """What the key of anything has to hold that this model sampled."""
        return self.weights | ({"sampling": self.sampling} if self.sampling else {})

    @property
    def weights(self) -> dict[str, str]:
        return {"model": self.fingerprint, "dtype": str(self.facts.get("dtype", ""))}


class UnifiedModel(Protocol):
    """One body with two faces. Everything above this floor sees a model through these members alone."""

    @property
    def identity(self) -> Identity: ...

    @property
    def num_image_tokens(self) -> int: ...

    # Packing and log-probabilities

    def pack(self, pairs: Sequence[UnderstandingPair] | Sequence[GenerationPair]) -> Any:
        """Rows for the pairs of one task; what is inside belongs to the family."""
        ...

    def token_log_probs(self, packed: Any) -> TokenLogProbs:
        """Of the conditional model, without guidance; log-softmax in fp32. Differentiable."""
        ...

    def log_probs(self, packed: Any) -> LogProbs:
        """The sums of `token_log_probs` over whole responses, in fp32. Differentiable."""
        ...

    def token_kl(self, packed: Any) -> Divergence:
        """KL of the model with its adapter from its base, teacher-forced on the packed responses: exact over the
        vocabulary at each predicted position, in fp32. Not differentiable.
        """
        ...

    def count_tokens(self, pair: Pair) -> tuple[int, int]:
        """Tokens of chosen and rejected, as `log_probs` counts them."""
        ...

    # Adapter: what is trained

    def add_adapter(self, settings: AdapterSettings) -> None: ...

    def remove_adapter(self) -> None: ...

    def save_adapter(self, folder: Path, *, writes: bool = True) -> None:
        """Of a sharded model all processes call this, and one `writes`."""
        ...

    def load_adapter(self, folder: Path) -> None: ...

    def base_only(self) -> AbstractContextManager[None]:
        """Within this block the model is its base: the reference policy of an adapter that started from it."""
        ...

    def dropout(self, share: float) -> AbstractContextManager[None]:
        """Within this block the adapter drops this share of its inputs; outside it nothing is dropped."""
        ...

    def shared_parameters(self) -> list[SharedParameter]:
        """The trainable parameters that both tasks reach: what the Gramian is taken over."""
        ...

    def head_parameters(self) -> list[tuple[str, Parameter]]:
        """The trainable parameters of the image head, outside the Gramian."""
        ...

    # Training at size

    def to(self, device: Any) -> None: ...

    def checkpoint_gradients(self, on: bool) -> None:
        """Compute the body's activations again in the backward instead of keeping them; gradients stay equal."""
        ...

    def compile_layers(self, on: bool) -> None:
        """Let torch compile the body's layers, or no longer; results move by roundings."""
        ...

    def shard(self) -> None:
        """Cut the body into disjoint parts over all processes (FSDP2); its parameters are other objects afterwards."""
        ...

    # Sampling

    def answer(
        self,
        images: Sequence[Any],
        questions: Sequence[str],
        sampling: Sampling = ...,
        report: Callable[[int], None] | None = ...,
    ) -> list[Answer]:
        """One answer to each question about the image of the same index; `report` is told the items of each batch."""
        ...

    def draw(
        self, prompts: Sequence[str], sampling: Sampling = ..., report: Callable[[int], None] | None = ...
    ) -> list[Drawing]:
        """One drawing of each prompt; `report` is told the items of each batch."""
        ...

    def encode(self, images: Sequence[Any]) -> list[tuple[int, ...]]: ...

    def decode(self, codes: Sequence[Sequence[int]]) -> list[NDArray[np.uint8]]: ...
