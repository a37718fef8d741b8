"""The network: one encoder, three outputs (embedding, intent logits, sentiment logits)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import AutoModel


@dataclass(frozen=True)
class Outputs:
    """For a batch of B messages: unit embeddings [B, D], intent logits [B, I], sentiment logits [B, S]."""

    embedding: Tensor
    intent: Tensor
    sentiment: Tensor


class Network(nn.Module):
    """A Hugging Face encoder with mean pooling, a projection for matching, and two linear heads."""

    def __init__(self, encoder: nn.Module, *, hidden: int, intents: int, sentiments: int, dropout: float) -> None:
        super().__init__()
        self.encoder = encoder
        self.dropout = nn.Dropout(dropout)
        self.projection = nn.Linear(hidden, hidden)
        self.intent = nn.Linear(hidden, intents)
        self.sentiment = nn.Linear(hidden, sentiments)
        nn.init.eye_(self.projection.weight)
        nn.init.zeros_(self.projection.bias)

    def layers(self) -> list[nn.Module]:
        """The encoder's layers, first to last."""
        return list(self.encoder.get_submodule("encoder.layer").children())

    def pool(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Mean of the last hidden states over real tokens, [B, D]."""
        hidden = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        mask = attention_mask.unsqueeze(-1).to(hidden.dtype)
        pooled: Tensor = (hidden * mask).sum(1) / mask.sum(1)
        return pooled

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Outputs:
        """Run the encoder once and read all three outputs from it."""
        pooled = self.dropout(self.pool(input_ids, attention_mask))
        embedding = functional.normalize(self.projection(pooled), dim=-1)
        return Outputs(embedding, self.intent(pooled), self.sentiment(pooled))


class Prototypes(nn.Module):
    """One unit vector a class; logits are scaled cosines (normalised softmax, Zhai and Wu, arXiv:1811.12649)."""

    def __init__(self, initial: Tensor, scale: float) -> None:
        super().__init__()
        self.vectors = nn.Parameter(initial.clone())
        self.log_scale = nn.Parameter(torch.tensor(scale).log())

    def forward(self, embedding: Tensor) -> Tensor:
        """Logits [B, C] of embeddings [B, D]."""
        logits: Tensor = self.log_scale.exp() * embedding @ functional.normalize(self.vectors, dim=-1).T
        return logits


def load_network(base: Path, *, layers: int, intents: int, sentiments: int, dropout: float) -> Network:
    """The base encoder cut to its first ``layers`` layers, with fresh heads and frozen word embeddings.

    Word embeddings stay frozen so that words absent from training keep their meaning, and so that the 4-bit
    table of the base weights can be shipped without loss.
    """
    encoder = AutoModel.from_pretrained(base, hidden_dropout_prob=dropout, attention_probs_dropout_prob=dropout)
    encoder.pooler = None
    encoder.encoder.layer = encoder.encoder.layer[:layers]
    encoder.config.num_hidden_layers = layers
    encoder.get_input_embeddings().weight.requires_grad_(False)
    return Network(encoder, hidden=encoder.config.hidden_size, intents=intents, sentiments=sentiments, dropout=dropout)


def load_weights(network: Network, prototypes: Prototypes, weights: dict[str, Tensor]) -> None:
    """Put trained ``weights``, as the train stage writes them, into both modules."""
    for prefix, module in (("network.", network), ("prototypes.", prototypes)):
        module.load_state_dict({name.removeprefix(prefix): value for name, value in weights.items() if name.startswith(prefix)})
