#!/bin/sh
# mutants.sh - proves mmk-check with planted bugs (tests/mutants/).
# SPDX-License-Identifier: MIT
exec "$(dirname "$0")/mutants/run"
