"""What the machine offers to training."""

from __future__ import annotations

import torch


def device() -> torch.device:
    """The GPU when there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def bf16_is_fast() -> bool:
    """True where the processor multiplies bfloat16 itself; elsewhere autocast would only slow training down."""
    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    # a private name, so it may go in another torch: without it training is slower, not wrong
    supported = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
    return bool(supported and supported())


def precision() -> torch.autocast:
    """bfloat16 where it is fast, float32 elsewhere."""
    return torch.autocast(device().type, torch.bfloat16, enabled=bf16_is_fast())
