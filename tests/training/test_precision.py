"""torch's settings while a model in bfloat16 trains on a GPU; they need no GPU to be set."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from bifrons.training.precision import settings_for


def now() -> tuple[str, bool]:
    return torch.get_float32_matmul_precision(), torch.backends.cuda.cudnn_sdp_enabled()


def model_in(dtype: str) -> Any:
    return SimpleNamespace(identity=SimpleNamespace(facts={"dtype": dtype}))


def test_they_are_set_and_put_back_after_an_error_too() -> None:
    before = now()
    assert before == ("highest", True)
    inside: list[tuple[str, bool]] = []

    def failing() -> None:
        with settings_for(model_in("bfloat16"), torch.device("cuda")):
            inside.append(now())
            raise RuntimeError

    with pytest.raises(RuntimeError):
        failing()
    assert inside == [("high", False)]
    assert now() == before


@pytest.mark.parametrize(("dtype", "device"), [("float32", "cuda"), ("bfloat16", "cpu")])
def test_elsewhere_nothing_changes(dtype: str, device: str) -> None:
    before = now()
    with settings_for(model_in(dtype), torch.device(device)):
        assert now() == before
