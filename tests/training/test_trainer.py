import torch

from components.params import Params
from components.training.trainer import lightning_precision, prepare_libraries


def test_auto_is_bf16_only_where_the_processor_multiplies_in_it() -> None:
    features = torch.cpu.get_capabilities()
    fast = torch.cuda.is_available() or features.get("avx512_bf16") or features.get("amx_bf16")
    assert lightning_precision("auto") == ("bf16-mixed" if fast else "32-true")
    assert lightning_precision("fp32") == "32-true"
    assert lightning_precision("bf16") == "bf16-mixed"


def test_threads_and_determinism_are_set(params: Params) -> None:
    prepare_libraries(1)
    assert torch.get_num_threads() == 1
    assert torch.are_deterministic_algorithms_enabled()
