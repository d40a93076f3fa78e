"""The DPO loss: TRL's numbers on a real model, the closed form of its gradient, and its behaviour at the ends."""

from __future__ import annotations

import copy
import math
import warnings
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from torch import Tensor

from bifrons.losses import dpo, margins

BETA = 0.3
PROMPTS = ("one two three", "four five")
CHOSEN = (" six seven", " eight nine ten one two")
REJECTED = (" ten nine eight one", " seven")
WORDS = ("<pad>", "</s>", "<unk>", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


@dataclass(frozen=True)
class Trl:
    """One evaluation of TRL's trainer: loss, reward margin (after beta), gradients by name, and what went in."""

    loss: float
    reward_margin: float
    reward_accuracy: float
    gradients: dict[str, Tensor]
    policy: torch.nn.Module
    reference: torch.nn.Module
    batch: dict[str, Tensor]


@pytest.fixture(scope="module")
def trl(tmp_path_factory: pytest.TempPathFactory) -> Trl:
    """TRL's `DPOTrainer.compute_loss` on two text pairs, with a tiny Llama and a reference of other weights."""
    with warnings.catch_warnings():  # TRL still uses the old name of a setting of transformers
        warnings.filterwarnings("ignore", ".*gradient_checkpointing.* is deprecated", FutureWarning)
        return trl_step(tmp_path_factory.mktemp("trl"))


def trl_step(folder: Path) -> Trl:
    from datasets import Dataset
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import WhitespaceSplit
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast
    from trl import DPOConfig, DPOTrainer

    words = Tokenizer(WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="<unk>"))
    words.pre_tokenizer = WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=words, pad_token="<pad>", eos_token="</s>", unk_token="<unk>")
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(WORDS),
        hidden_size=16,
        intermediate_size=24,
        num_hidden_layers=2,
        num_attention_heads=2,
        attention_dropout=0.0,
        initializer_range=0.5,
        pad_token_id=0,
        eos_token_id=1,
        bos_token_id=1,
    )
    policy, reference = LlamaForCausalLM(config), LlamaForCausalLM(config)
    pairs = {"prompt": list(PROMPTS), "chosen": list(CHOSEN), "rejected": list(REJECTED)}
    arguments = DPOConfig(
        output_dir=str(folder),
        beta=BETA,
        per_device_train_batch_size=2,
        use_cpu=True,
        bf16=False,
        activation_checkpointing=False,
        disable_dropout=True,
        report_to="none",
        disable_tqdm=True,
    )
    untouched = copy.deepcopy(policy), copy.deepcopy(reference)  # the trainer patches the forward of its models
    trainer = DPOTrainer(
        model=policy,
        ref_model=reference,
        args=arguments,
        train_dataset=Dataset.from_dict(pairs),
        processing_class=tokenizer,
    )
    rows = [trainer.train_dataset[i] for i in range(2)]
    batch = trainer.data_collator(rows)
    loss = trainer.compute_loss(trainer.model, dict(batch))
    loss.backward()
    metrics = trainer._metrics["train"]
    return Trl(
        loss=loss.item(),
        reward_margin=metrics["rewards/margins"][-1],
        reward_accuracy=metrics["rewards/accuracies"][-1],
        gradients={name: p.grad for name, p in policy.named_parameters() if p.grad is not None},
        policy=untouched[0],
        reference=untouched[1],
        batch=batch,
    )


def summed_log_probs(model: torch.nn.Module, batch: dict[str, Tensor]) -> Tensor:
    """Log-probability of each row's completion, written out token by token. Shape [rows]."""
    logits_RTV = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits.float()
    log_probs_RTV = logits_RTV - torch.logsumexp(logits_RTV, dim=-1, keepdim=True)
    sums: list[Tensor] = []
    for row, tokens in enumerate(batch["input_ids"].tolist()):
        terms = [
            log_probs_RTV[row, position - 1, token]
            for position, token in enumerate(tokens)
            if batch["completion_mask"][row, position]
        ]
        sums.append(torch.stack(terms).sum())
    return torch.stack(sums)


def our_margins(trl: Trl) -> Tensor:
    policy_chosen, policy_rejected = summed_log_probs(trl.policy, trl.batch).chunk(2)
    with torch.no_grad():
        reference_chosen, reference_rejected = summed_log_probs(trl.reference, trl.batch).chunk(2)
    return margins(policy_chosen, policy_rejected, reference_chosen, reference_rejected)


def test_trl_case_is_telling(trl: Trl) -> None:
    """The two pairs differ in length and the margins are far from zero, so agreement below is no accident."""
    lengths = trl.batch["completion_mask"].sum(dim=1).tolist()
    assert len(set(lengths)) > 2
    assert our_margins(trl).detach().abs().min() > 0.5


def test_loss_margin_and_accuracy_are_those_of_trl(trl: Trl) -> None:
    margin = our_margins(trl).detach()
    assert dpo(margin, BETA).mean().item() == pytest.approx(trl.loss, rel=1e-5)
    assert BETA * margin.mean().item() == pytest.approx(trl.reward_margin, rel=1e-5)
    assert (margin > 0).float().mean().item() == trl.reward_accuracy


def test_gradient_is_that_of_trl(trl: Trl) -> None:
    trl.policy.zero_grad()
    dpo(our_margins(trl), BETA).mean().backward()
    ours = {name: p.grad for name, p in trl.policy.named_parameters() if p.grad is not None}
    assert ours.keys() == trl.gradients.keys()
    for name, gradient in ours.items():
        torch.testing.assert_close(gradient, trl.gradients[name], rtol=1e-4, atol=1e-6, msg=name)


def test_loss_at_margin_zero_is_ln_2() -> None:
    log_probs = torch.tensor([-3.0, -700.25, -1e-3])
    margin = margins(log_probs, log_probs - 5, log_probs, log_probs - 5)
    assert torch.equal(margin, torch.zeros(3))
    torch.testing.assert_close(dpo(margin, 0.1), torch.full((3,), math.log(2)), rtol=0, atol=1e-7)


@pytest.mark.parametrize(
    ("policy_chosen", "policy_rejected", "reference_chosen", "reference_rejected", "expected"),
    [
        (-4.0, -7.0, -5.0, -7.0, 1.0),  # the policy raised the chosen answer
        (-5.0, -9.0, -5.0, -7.0, 2.0),  # it lowered the rejected one
        (-8.0, -7.0, -5.0, -7.0, -3.0),  # it lowered the chosen one
        (-5.0, -3.0, -5.0, -7.0, -4.0),  # it raised the rejected one
    ],
)
def test_margin_has_the_sign_of_the_improvement(
    policy_chosen: float, policy_rejected: float, reference_chosen: float, reference_rejected: float, expected: float
) -> None:
    """Each of the four log-probabilities enters Eq. 2 with its own sign; a better policy has the lower loss."""
    values = (policy_chosen, policy_rejected, reference_chosen, reference_rejected)
    margin = margins(*(torch.tensor([value]) for value in values))
    assert margin.item() == expected
    assert (dpo(margin, 0.1).item() < math.log(2)) == (expected > 0)


@pytest.mark.parametrize("beta", [0.05, 0.1, 0.5, 2.0])
def test_gradient_in_closed_form(beta: float) -> None:
    """dL/dm = -beta sigmoid(-beta m), over both signs and both tails."""
    margin = torch.linspace(-60, 60, 241, dtype=torch.float64, requires_grad=True)
    dpo(margin, beta).sum().backward()
    expected = -beta * torch.sigmoid(-beta * margin.detach())
    torch.testing.assert_close(margin.grad, expected, rtol=1e-12, atol=0)


@pytest.mark.parametrize("size", [1e4, 1e6])
def test_large_margins_are_stable(size: float) -> None:
    """In fp32: no overflow, the loss is linear in the lost margin, and a won pair gives neither loss nor gradient."""
    margin = torch.tensor([-size, size], requires_grad=True)
    losses = dpo(margin, 1.0)
    losses.sum().backward()
    assert losses.tolist() == [size, 0.0]
    assert margin.grad is not None
    assert margin.grad.tolist() == [-1.0, 0.0]


@pytest.mark.parametrize("beta", [0.0, -0.1, math.nan])
def test_beta_has_to_be_above_zero(beta: float) -> None:
    with pytest.raises(ValueError, match="beta is"):
        dpo(torch.zeros(1), beta)
