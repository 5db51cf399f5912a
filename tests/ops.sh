#!/bin/sh
# ops.sh - the inner loops of each instruction set of this machine against their contract.
# SPDX-License-Identifier: MIT
cd "$(dirname "$0")/.." && exec "${BUILD:-.build/$(uname -m)}/bin/mmk-ops"
