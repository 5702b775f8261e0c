import os
import signal
import subprocess
import sys
import threading

import pytest
import torch
from torch.utils import deterministic as memory

from mscm_lib.training.scope import Interruption, reproducible

CPU = torch.device("cpu")


def test_everything_is_as_before_even_after_an_error():
    torch.manual_seed(5)
    before = torch.get_rng_state()
    expected = torch.rand(3)
    torch.set_rng_state(before)
    settings = (memory.fill_uninitialized_memory, torch.backends.cudnn.benchmark)
    with pytest.raises(KeyError), reproducible(CPU, deterministic=True, seed=1):
        assert torch.are_deterministic_algorithms_enabled()
        torch.rand(10)
        raise KeyError
    assert not torch.are_deterministic_algorithms_enabled()
    assert (memory.fill_uninitialized_memory, torch.backends.cudnn.benchmark) == settings
    assert torch.equal(torch.rand(3), expected)


def test_on_a_gpu_deterministic_is_strict_and_its_own_generator_is_seeded(monkeypatch):
    seeded = []
    for name in ("get_rng_state", "set_rng_state"):
        monkeypatch.setattr(torch.cuda, name, lambda *arguments: None)
    monkeypatch.setattr(torch.cuda, "manual_seed", seeded.append)
    with reproducible(torch.device("cuda", 1), deterministic=True, seed=7):
        assert torch.get_deterministic_debug_mode() == 2  # raises; 1 would warn and go on
        assert not torch.backends.cudnn.benchmark
    assert seeded == [7]


@pytest.mark.parametrize("already", [None, ":16:8"])
def test_importing_the_library_settles_the_workspace_of_cublas(already):
    name = "CUBLAS_WORKSPACE_CONFIG"
    environment = {key: value for key, value in os.environ.items() if key != name}
    if already:
        environment[name] = already
    command = [sys.executable, "-c", f"import os, mscm_lib; print(os.environ[{name!r}])"]
    said = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert said.stdout.strip() == (already or ":4096:8")


def test_the_same_seed_draws_the_same_numbers():
    drawn = []
    for seed in (1, 1, 2):
        with reproducible(CPU, deterministic=False, seed=seed):
            drawn.append(torch.rand(4))
    assert torch.equal(drawn[0], drawn[1]) and not torch.equal(drawn[0], drawn[2])


@pytest.mark.parametrize(
    ("number", "error"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, SystemExit)]
)
def test_a_signal_raises_a_flag_and_handlers_come_back(number, error):
    before = signal.getsignal(number)
    with Interruption() as interruption:
        assert interruption.number is None
        os.kill(os.getpid(), number)
        assert interruption.number == number
        with pytest.raises(error):
            interruption.leave(number)
    assert signal.getsignal(number) == before


def test_a_second_signal_acts_at_once():
    # a shell's background job starts with SIGINT ignored; the test is about Python's own handler
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with Interruption(), pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)


def test_other_threads_do_without():
    failures = []

    def work():
        try:
            with Interruption() as interruption:
                assert interruption.number is None
        except ValueError as error:
            failures.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert not failures
