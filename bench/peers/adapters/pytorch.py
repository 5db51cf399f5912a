#!/usr/bin/env python3
# pytorch.py - peer: InfoNCE in PyTorch, as CLIP's own code computes it.
# SPDX-License-Identifier: MIT
#
# mmk-bench runs this as a child; the orders and answers are described in bench/peers/script.h.
import ctypes
import os
import re
import resource
import sys
import time


def answer(text):
    print(text, flush=True)


try:
    import torch
    from torch.nn import functional
except ImportError as missing:
    answer(f"error {missing}")
    sys.exit(1)

ALL_CPUS = os.sched_getaffinity(0)


def openblas():
    """The OpenBLAS libraries of this process: none where PyTorch brings another BLAS."""
    with open("/proc/self/maps") as maps:
        paths = {line.split()[-1] for line in maps if re.search(r"openblas[^/]*\.so", line)}
    return [ctypes.CDLL(path) for path in sorted(paths)]


def kernel_text():
    """What PyTorch and its BLAS chose on this machine."""
    capability = re.search(r"CPU capability usage: (\S+)", torch.__config__.show())
    parts = [capability.group(1) if capability else "unknown capability"]
    for library in openblas():
        library.openblas_get_corename.restype = ctypes.c_char_p
        parts.append("OpenBLAS " + library.openblas_get_corename().decode())
    return ", ".join(parts)


def involuntary_switches():
    return resource.getrusage(resource.RUSAGE_THREAD).ru_nivcsw


class Case:
    def __init__(self, given):
        m, n, d = int(given["m"]), int(given["n"]), int(given["d"])
        if m != n or given["offset"] != "0":
            raise ValueError("CLIP's loss takes square batches only")
        if given["similarity"] not in ("dot", "cosine"):
            raise ValueError("CLIP's loss takes dot or cosine only")
        self.gradients = given["kernel"] == "infonce_forward_backward"
        self.cosine = given["similarity"] == "cosine"
        self.weight_x, self.weight_y = float(given["weight_x"]), float(given["weight_y"])
        self.threads = int(given["threads"])
        torch.set_num_threads(self.threads)
        for library in openblas():  # the threads of an OpenBLAS with pthreads are its own
            library.openblas_set_num_threads(self.threads)

        sizes = {}
        for name, value in given.items():
            size = re.fullmatch(r"(\d+)x(\d+)", value)
            if size:
                sizes[name] = int(size.group(1)) * int(size.group(2))
        shared = torch.from_file(given["file"], shared=True, size=sum(sizes.values()))
        self.arguments = dict(zip(sizes, shared.split(list(sizes.values()))))
        self.x = self.arguments["x"].view(n, d).clone().requires_grad_(self.gradients)
        self.y = self.arguments["y"].view(n, d).clone().requires_grad_(self.gradients)
        self.scale = torch.tensor(float(given["logit_scale"]), requires_grad=self.gradients)
        self.labels = torch.arange(n)

    def logits(self):
        x, y = self.x, self.y
        if self.cosine:
            x, y = functional.normalize(x), functional.normalize(y)
        return self.scale * x @ y.t()

    def loss(self):
        logits = self.logits()
        loss_x = functional.cross_entropy(logits, self.labels)
        loss_y = functional.cross_entropy(logits.t(), self.labels)
        return self.weight_x * loss_x + self.weight_y * loss_y

    def call(self):
        if not self.gradients:
            with torch.inference_mode():
                return self.loss()
        self.x.grad = self.y.grad = self.scale.grad = None
        loss = self.loss()
        loss.backward()
        return loss

    def run(self, warm_up, calls, cpu):
        os.sched_setaffinity(0, {cpu} if cpu >= 0 else ALL_CPUS)
        for _ in range(warm_up):
            self.call()
        switches = involuntary_switches()
        cpu_start, start = time.thread_time(), time.perf_counter()
        for _ in range(calls):
            self.call()
        seconds, cpu_seconds = time.perf_counter() - start, time.thread_time() - cpu_start
        switches = involuntary_switches() - switches
        if self.threads > 1:
            wait_for_idle_workers()
        return f"{seconds:.9e} {cpu_seconds:.9e} {switches}"

    def write_outputs(self):
        outputs = {"loss": self.call()}
        with torch.no_grad():
            logits = self.logits()  # the loss does not hand out its log-sum-exps
            outputs.update(lse_x=logits.logsumexp(1), lse_y=logits.logsumexp(0))
            if self.gradients:
                outputs.update(dx=self.x.grad, dy=self.y.grad, dlogit_scale=self.scale.grad)
            for name, output in outputs.items():
                self.arguments[name].copy_(output.flatten())


def wait_for_idle_workers():
    """Workers without work spin for a while; what is timed next is to have the CPUs."""
    for _ in range(100):
        before = time.process_time()
        time.sleep(2e-3)
        if time.process_time() - before < 0.5e-3:
            break


def main():
    answer(f"hello PyTorch {torch.__version__}; {kernel_text()}")
    case = None
    for line in iter(sys.stdin.readline, ""):
        order, *words = line.split()
        try:
            if order == "prepare":
                case = None  # gives its memory back first
                case = Case(dict(word.split("=", 1) for word in words))
                answer("ready")
            elif order == "run":
                answer("done " + case.run(*map(int, words)))
            else:
                case.write_outputs()
                answer("done")
        except (RuntimeError, ValueError, MemoryError) as problem:
            answer("error " + " ".join(str(problem).split())[:200])


main()
