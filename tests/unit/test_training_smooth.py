"""Smoothing moves outliers from activations into weights and changes no answer."""

from __future__ import annotations

import pytest
import torch
from transformers import BertConfig, BertModel

from training.network import Network
from training.smooth import Smoothed, smooth

IDS = [[0, 5, 6, 7, 2], [0, 8, 2], [0, 9, 10, 11, 12, 13, 2]]


@pytest.fixture
def network() -> Network:
    """Two small random layers, one of whose inputs has a channel far larger than the others."""
    torch.manual_seed(0)
    config = BertConfig(vocab_size=20, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32)
    made = Network(BertModel(config, add_pooling_layer=False), hidden=16, intents=3, sentiments=2, dropout=0.0).eval()
    with torch.no_grad():
        made.encoder.get_submodule("encoder.layer.0.output.LayerNorm").weight[3] = 40.0  # type: ignore[operator]
    return made


def answers(network: Network) -> torch.Tensor:
    with torch.inference_mode():
        rows = [network(torch.tensor([ids]), torch.ones(1, len(ids), dtype=torch.long)) for ids in IDS]
    return torch.cat([torch.cat([row.embedding, row.intent, row.sentiment], 1) for row in rows])


@pytest.mark.parametrize("strength", [0.0, 0.5, 1.0])
def test_answers_stay_the_same(network: Network, strength: float) -> None:
    before = answers(network)
    smooth(network, IDS, strength=strength)

    assert torch.allclose(answers(network), before, atol=1e-4)


def test_every_product_of_the_encoder_is_smoothed(network: Network) -> None:
    smooth(network, IDS, strength=0.5)

    kinds = [type(module) for module in network.encoder.modules()]
    assert kinds.count(Smoothed) == kinds.count(torch.nn.Linear) == 2 * 6


def test_the_large_channel_of_an_input_shrinks_against_the_others(network: Network) -> None:
    linear = network.layers()[1].get_submodule("attention.self.query")
    smooth(network, IDS, strength=0.5)
    smoothed = network.layers()[1].get_submodule("attention.self.query")

    assert isinstance(linear, torch.nn.Linear)
    assert isinstance(smoothed, Smoothed)
    assert smoothed.inverse.argmin() == 3
    assert torch.allclose(smoothed.linear.weight * smoothed.inverse, linear.weight, atol=1e-6)
