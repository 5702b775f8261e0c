"""Shared by every test: one torch thread, the project as it is committed, a GPU of fake tensors."""

import contextlib
import os
import shutil

os.environ.setdefault("OMP_NUM_THREADS", "1")  # so that workers side by side do not fight for cores
os.environ.setdefault("MKL_NUM_THREADS", "1")

import matplotlib
import pytest
import torch
from torch import nn
from torch._subclasses import FakeTensorMode

from tests import tree

matplotlib.use("Agg")
torch.set_num_threads(1)


def pytest_configure(config):
    config.own_tree = tree.enter()


def pytest_unconfigure(config):
    if config.own_tree:
        tree.leave(config.own_tree)


def _fake(self, network):
    """`Hardware.place` for fake tensors, which `nn.Module.to` does not take."""
    for module in network.modules():
        for held in (module._parameters, module._buffers):
            for name, value in held.items():
                if value is None:
                    continue
                made = torch.empty(value.shape, dtype=value.dtype, device=self.device)
                if made.ndim == 4:
                    made = made.to(memory_format=torch.channels_last)
                trained = isinstance(value, nn.Parameter)
                held[name] = nn.Parameter(made, value.requires_grad) if trained else made
    return network


@pytest.fixture
def fake_gpu(monkeypatch):
    """``with fake_gpu():`` there is a GPU as far as the library sees, and every tensor is fake.

    A fake tensor has a shape, a number format and a device and no values: whatever reads one raises.
    Networks are built before the block and become fake where they are placed on the device.
    """
    from mscm_lib.data.batches import pixels
    from mscm_lib.hardware import Hardware

    answers = {
        "is_available": lambda: True,
        "device_count": lambda: 1,
        "set_device": lambda device: None,
        "get_device_capability": lambda device: (9, 0),
        "get_device_name": lambda device: "fake",
        "is_bf16_supported": lambda including_emulation=True: True,
        "get_rng_state": lambda device: None,
        "set_rng_state": lambda state, device: None,
        "manual_seed": lambda seed: None,
    }

    def statistics(x, running_mean, running_var, momentum):
        return torch.empty(2, x.shape[1], dtype=torch.float32, device=x.device).unbind(0)

    @contextlib.contextmanager
    def on_it():
        pixels._constants.cache_clear()
        with torch.library._scoped_library("aten", "IMPL") as library, FakeTensorMode():
            # operators for which PyTorch has no fake form
            library.impl("_fused_sgd_", lambda *given, **named: None, "Meta")
            library.impl("batch_norm_update_stats", statistics, "Meta")
            with monkeypatch.context() as patch:
                for name, answer in answers.items():
                    patch.setattr(torch.cuda, name, answer)
                patch.setattr(Hardware, "place", _fake)
                yield
        pixels._constants.cache_clear()

    return on_it


@pytest.fixture(scope="module")
def browser():
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    driver = shutil.which("chromedriver")
    if not (chromium and driver):
        pytest.skip("no browser: install Debian's chromium and chromium-driver, or Chrome")
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    window = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    yield window
    window.quit()
