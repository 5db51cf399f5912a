#!/usr/bin/env python3
# pytorch_losses.py - InfoNCE, uniformity and the sigmoid loss in PyTorch, for their accuracy.
# SPDX-License-Identifier: MIT
#
# mmk-bench accuracy runs this as a child; orders and answers are described in
# bench/accuracy/torch.c, the formulas in kernels/mmk.h.
import sys


def answer(text):
    print(text, flush=True)


try:
    import torch
    from torch.nn import functional
except ImportError as missing:
    answer(f"error {missing}")
    sys.exit(1)


def similarities(kind, x, y):
    if kind == "cosine":
        x, y = functional.normalize(x), functional.normalize(y)
    products = x @ y.t()
    if kind == "neg_sq_l2":
        return 2 * products - x.square().sum(1, keepdim=True) - y.square().sum(1)
    return products


def loss_of(kind, logits, partners):
    m, n = logits.shape
    if kind == "infonce":  # weights 1 and 0
        return functional.cross_entropy(logits, partners)
    if kind == "uniformity":
        return (logits.logsumexp(1) - torch.tensor(float(n)).log()).mean()
    signs = torch.full_like(logits, -1)
    signs[torch.arange(m), partners] = 1
    return -functional.logsigmoid(signs * logits).sum() / m


def evaluate(given):
    m, n, d = int(given["m"]), int(given["n"]), int(given["d"])
    torch.set_num_threads(int(given["threads"]))
    sizes = [m * d, n * d, m * d, n * d, m, n, 1, 1, 1]
    shared = torch.from_file(given["file"], shared=True, size=sum(sizes))
    x, y, dx, dy, lse_x, lse_y, loss, dscale, dbias = shared.split(sizes)
    x = x.view(m, d).clone().requires_grad_()
    y = y.view(n, d).clone().requires_grad_()
    scale = torch.tensor(float(given["scale"]), requires_grad=True)
    bias = torch.tensor(float(given["bias"]), requires_grad=True)
    logits = scale * similarities(given["similarity"], x, y)
    if given["loss"] == "sigmoid":
        logits = logits + bias
    value = loss_of(given["loss"], logits, torch.arange(m) % n)
    value.backward()
    with torch.no_grad():
        if given["loss"] == "sigmoid":
            dbias.copy_(bias.grad)
        else:
            lse_x.copy_(logits.logsumexp(1))
            lse_y.copy_(logits.logsumexp(0))
        loss.copy_(value)
        dx.copy_(x.grad.flatten())
        dy.copy_(y.grad.flatten())
        dscale.copy_(scale.grad)


answer(f"hello PyTorch {torch.__version__}")
for line in iter(sys.stdin.readline, ""):
    try:
        evaluate(dict(word.split("=", 1) for word in line.split()))
        answer("done")
    except (RuntimeError, ValueError, MemoryError) as problem:
        answer("error " + " ".join(str(problem).split())[:200])
