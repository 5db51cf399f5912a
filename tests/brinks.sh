#!/bin/sh
# brinks.sh - every size at which a kernel goes another way is in the table of mmk-check.
# SPDX-License-Identifier: MIT
cd "$(dirname "$0")/.." && . tests/suite.inc

# A name that ends like this, in an enum, cuts a size. It must be in tests/check/brinks.c, or here,
# with what else reaches both of its sides.
sizes='[A-Z0-9_]*(ROWS|COLS|BYTES|FLOATS|DEPTH|PIECE|ROW|BLOCK|CHUNK|CHAIN|BLOCKS|STRIPE)'
elsewhere='
AHEAD_FLOATS AHEAD_ROWS NEAR_FLOATS SHARE_BYTES STACK_BYTES: speed only, the same sums
STRIP_FLOATS LANE_FLOATS KEPT_BLOCK_FLOATS HELD_ROW_BLOCKS HELD_COL_BLOCKS GRADIENT_ROW_BLOCKS: made of others
TILE_LEAST_STRIPE STRIPE BLOCK_ROWS ROW BLOCK QUANTIZE_BLOCK: a lane or so; the sweeps have all sizes up to 130
EXP_PRODUCT_ROWS: a part of EXP_PRODUCT_LEAST_ROWS
ROWS TILE_ORIGIN_ROWS ARGS_FLOATS: not a size of an argument
SAMPLE_ROWS: the sweeps have 0 to 40 rows
LEVELS_LEAST_ROWS LEVELS_LEAST_DEPTH LEVELS_MOST_DEPTH: levels or none, the same bits; test-levels has the first two
SEARCH_PREFIXED_ROWS: test-levels has a second batch
SEARCH_CODED_CHUNK_BYTES: test-levels has chunks of three sizes
CHUNK: 16 candidates; test-topk has all numbers of them
FINE_DEPTH PEEK_DEPTH: rows of scores of 0 to 270,000, test-topk
'
declared=$(grep -rhoE "\b$sizes = [^,}]+" kernels --include='*.[ch]' | sed 's/ = .*//' | sort -u)
missing=
# The table without its comments; of the two sizes that stand in them the values are those of rows.
"${CC:-gcc}" -fpreprocessed -dD -E -P tests/check/brinks.c >"$scratch/table" 2>"$scratch/said"
for name in $declared; do
    grep -qw "$name" "$scratch/table" && continue
    echo "$elsewhere" | sed 's/:.*//' | grep -qw "$name" && continue
    missing="$missing $name"
done
check "constants are found" test "$(echo "$declared" | wc -l)" -gt 20
check "every size that cuts is in tests/check/brinks.c or named with a reason:$missing" test -z "$missing"
gone=
for name in $(echo "$elsewhere" | sed 's/:.*//'); do
    echo "$declared" | grep -qw "$name" || gone="$gone $name"
done
check "no reason is left of a constant that is gone:$gone" test -z "$gone"
for name in $(grep -oE '"[a-z_ 0-9]+ "' tests/check/brinks.c | tr -d '"'); do
    "$BUILD/bin/mmk-check" --list | grep -qE "^  $name " || unknown="$unknown $name"
done
check "kernels of the table exist:$unknown" test -z "$unknown"
finish
