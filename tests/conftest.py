"""Shared by every test: one torch thread, so that workers side by side do not fight for cores."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MKL_NUM_THREADS", "1")

import matplotlib
import torch

matplotlib.use("Agg")
torch.set_num_threads(1)
