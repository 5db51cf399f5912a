#!/bin/sh
# gate.sh - mmk-bench --gate: its exit codes for builds that cannot be compared, its files, and what it
# refuses. How well it finds what is slower is tried by tests/trials/gate.
# SPDX-License-Identifier: MIT
cd "$(dirname "$0")/.." && . tests/suite.inc
bench=$BUILD/bin/mmk-bench planted=$BUILD/bin/mmk-bench-planted
case_of="--kernel exp --shape 1024"

# exits status command...
exits() {
    wanted=$1
    shift
    timeout 120 "$@" >"$scratch/out" 2>&1
    status=$?
    cat "$scratch/out"
    [ "$status" -eq "$wanted" ]
}

says() {
    grep -q -e "$1" "$scratch/out"
}

# not_compared words command...: exit 3, and the row says why.
not_compared() {
    words=$1
    shift
    exits 3 "$@" && says "NOT COMPARED: $words"
}

# A baseline that lists one kernel and then does what its text says.
fake() {
    {
        echo '#!/bin/sh'
        echo 'if [ "$1" = --list ]; then printf "kernels (sizes)\n  exp  d  e^x\n    1024\nvariants\n scalar\n"; exit; fi'
        echo 'while read -r order rest; do'
        echo "    $1"
        echo 'done'
    } >"$scratch/fake"
    chmod +x "$scratch/fake"
}

# A gate of a second or two on one small case ends with a verdict, whichever the machine allows.
"$bench" --gate "$bench" $case_of --seconds 4 --json "$scratch/json" --junit "$scratch/xml" >"$scratch/out" 2>&1
status=$?
check "the same build is compared" test "$status" -eq 0 -o "$status" -eq 2
check "the closing line counts" says '1 passed, 0 regressed\|0 passed, 0 regressed, 1 inconclusive'
check "JSON has the launches" grep -q '"first_launches":{"ratio":\[[0-9.,]*\]' "$scratch/json"
check "JUnit has the case" grep -q '<testcase classname="exp" name="1024 ' "$scratch/xml"
check "Markdown has a row" sh -c "'$bench' --gate '$bench' $case_of --seconds 1 --markdown | grep -q '^| exp | 1024 |'"
check "a case without launches enough is no PASS" exits 2 "$bench" --gate "$bench" $case_of --seconds 0.2

# ---- This build ----------------------------------------------------------------------------------

if [ -x "$planted" ]; then
    check "a crash" not_compared "this build crashed: signal 6" \
        env MMK_PLANT=exp:crash "$planted" --gate "$bench" $case_of --seconds 5
    check "a hang" not_compared "this build hung: no answer within 1 s" \
        env MMK_PLANT=exp:hang "$planted" --gate "$bench" $case_of --seconds 5 --limit 1
    check "a wrong result" not_compared "this build is wrong" \
        env MMK_PLANT=exp:wrong "$planted" --gate "$bench" $case_of --seconds 5
    check "cases beside one that crashes are compared" sh -c "MMK_PLANT=exp:crash '$planted' --gate '$bench' \
        --kernel exp,logsumexp --shape 1024 --seconds 16 | grep '^logsumexp' | grep -v 'NOT COMPARED'"
    check "a baseline that crashes" not_compared "the baseline crashed: signal 6" \
        env MMK_PLANT=exp:crash "$bench" --gate "$planted" $case_of --seconds 5
else
    fail "$planted is missing"
fi

# ---- The baseline --------------------------------------------------------------------------------

fake 'kill -SEGV $$'
check "a baseline that crashes at once" not_compared "the baseline crashed: signal 11" \
    "$bench" --gate "$scratch/fake" $case_of --seconds 5
fake 'exit 7'
check "a baseline that exits" not_compared "the baseline crashed: exit status 7" \
    "$bench" --gate "$scratch/fake" $case_of --seconds 5
fake 'sleep 30'
check "a baseline that hangs" not_compared "the baseline hung" "$bench" --gate "$scratch/fake" $case_of --seconds 5 --limit 1
fake 'printf "ready "; sleep 30'
check "a baseline that hangs within a line" not_compared "the baseline hung" \
    "$bench" --gate "$scratch/fake" $case_of --seconds 5 --limit 1
fake 'echo nonsense'
check "a baseline that talks nonsense" not_compared "the baseline cannot: nonsense" \
    "$bench" --gate "$scratch/fake" $case_of --seconds 5
fake 'echo ready 0 anew'
check "a baseline that samples nothing" not_compared "" "$bench" --gate "$scratch/fake" $case_of --seconds 5
fake 'echo ready 5 anew; read -r order; echo nan 0'
check "a baseline whose call fails" not_compared "the baseline failed while it was timed: nan 0" \
    "$bench" --gate "$scratch/fake" $case_of --seconds 5
fake 'echo ready 5'
check "a baseline from before cases were mapped anew" not_compared "the baseline is from before" \
    "$bench" --gate "$scratch/fake" $case_of --seconds 5
fake 'echo "none | <&\">"'
check "what a baseline says stands in XML" sh -c "'$bench' --gate '$scratch/fake' $case_of --seconds 5 --junit '$scratch/xml' \
    >'$scratch/out'; test \$? -eq 3 && grep -q 'cannot: none ? &lt;&amp;&quot;&gt;' '$scratch/xml'"
fake 'trap "" TERM PIPE; while :; do sleep 1; done'
check "a baseline that does not end" not_compared "the baseline hung" "$bench" --gate "$scratch/fake" $case_of --seconds 5 --limit 1
fake 'head -c 100000 /dev/zero | tr "\0" x'
check "a baseline that does not end its line" not_compared "the baseline" \
    "$bench" --gate "$scratch/fake" $case_of --seconds 5 --limit 2
fake 'echo none it has no such kernel'
check "a case that the baseline has not" not_compared "the baseline cannot: none it has no such kernel" \
    "$bench" --gate "$scratch/fake" $case_of --seconds 5
printf '#!/bin/sh\nif [ "$1" = --list ]; then "%s" --list | sed "s/^  exp  /  old_exp  /"; exit; fi\nexec "%s" "$@"\n' \
    "$PWD/$bench" "$PWD/$bench" >"$scratch/fake"
cp "$scratch/fake" "$scratch/lost"
check "a kernel that is no longer there" sh -c "'$bench' --gate '$scratch/fake' --seconds 1 >'$scratch/out'; test \$? -eq 3 &&
    grep -q 'old_exp .*NOT COMPARED: this build has no such kernel' '$scratch/out'"

printf '#!/bin/sh\nsleep 100\n' >"$scratch/fake"
check "a baseline that does not list" exits 3 "$bench" --gate "$scratch/fake" $case_of --limit 1
printf '#!/bin/sh\nif [ "$1" = --list ]; then "%s" --list | sed "s/^  ref /  ref avx9999 /"; exit; fi\nexec "%s" "$@"\n' \
    "$PWD/$bench" "$PWD/$bench" >"$scratch/fake"
check "a variant that is no longer there" sh -c "'$bench' --gate '$scratch/fake' $case_of --seconds 1 >'$scratch/out'
    test \$? -eq 3 && grep -q 'avx9999 .*NOT COMPARED: this build has no such variant' '$scratch/out'"
# As users have it: OpenMP's threads spin.
check "a gate with two threads" env -u OMP_WAIT_POLICY sh -c "'$bench' --gate '$bench' --kernel cosine_matrix --threads 2 \
    --seconds 6 >'$scratch/out'; status=\$?
    test \$status -ne 3 && grep -q '^cosine_matrix  *256x256x128 ' '$scratch/out'"
check "a kernel that was asked for and has no case" not_compared "no --shape fits it" \
    "$bench" --gate "$bench" --kernel exp,topk --shape 1024 --seconds 2
check "a kernel of a family that is no longer there" sh -c "'$bench' --gate '$scratch/lost' --kernel exp,all --shape 1024 \
    --seconds 1 >'$scratch/out'; test \$? -eq 3 && grep -q 'old_exp .*NOT COMPARED' '$scratch/out'"
check "a parent that is process 1 is a parent" sh -c "echo 'open exp d=1024 1 scalar 1 unchecked' |
    MMK_PARENT=\$\$ '$bench' --serve | grep -q '^ready '"
check "a parent that has gone" sh -c "echo 'open exp d=1024 1 scalar 1 unchecked' | MMK_PARENT=1 '$bench' --serve >'$scratch/out'
    test ! -s '$scratch/out'"
fake 'case $order in open) echo ready 1 anew 1 1 ;; *) echo 1 0 ;; esac'
check "a baseline that times another problem" not_compared "a call is 18432 flops here and 1 in the baseline" \
    "$bench" --gate "$scratch/fake" $case_of --seconds 5
printf '#!/bin/sh\nif [ "$1" = --list ]; then yes " x"; fi\nsleep 100\n' >"$scratch/fake"
check "a baseline whose list does not end" exits 3 "$bench" --gate "$scratch/fake" $case_of --limit 1
check "output that cannot be written is no verdict" sh -c "'$bench' --gate '$bench' $case_of --seconds 1 >/dev/full 2>/dev/null
    test \$? -eq 3"

# What a baseline says of its times is known: no machine is as fast or as slow.
fake 'case $order in open) echo ready 1 anew ;; *) echo 1e-12 0 ;; esac'
check "a baseline that is far faster" exits 1 "$bench" --gate "$scratch/fake" $case_of --seconds 20
check "it was tried again" says 'REGRESSED, tried again'
fake 'case $order in open) echo ready 1 anew ;; *) echo 1 0 ;; esac'
check "a baseline that is far slower" exits 0 "$bench" --gate "$scratch/fake" $case_of --seconds 20
check "its ratio is below 1" says ' 0\.000 \[0\.000, 0\.000\] .* PASS$'
fake 'case $order in open) echo ready 1 anew ;; *) echo 1e-12 1 ;; esac'
check "a baseline whose samples are all void" exits 2 "$bench" --gate "$scratch/fake" $case_of --seconds 3
check "there is no launch then" says ' 0  *0  INCONCLUSIVE: too little time, or'

# ---- Refusals: to a gate 2 is INCONCLUSIVE, so that they are 3 ----------------------------------

refused() {
    words=$1
    shift
    exits 3 "$bench" "$@" && says "$words"
}
check "no such program" refused "cannot be run (No such file" --gate "$scratch/none"
check "no mmk-bench" refused "it is no mmk-bench" --gate /bin/true
check "no program" refused "cannot be run" --gate "$scratch"
check "no such kernel" refused "no such kernel" --gate "$bench" --kernel nix
check "an option cut short" refused "unrecognized option" --g "$bench" --nix
check "no such option" refused "unrecognized option" --gate "$bench" --nix
for option in --help --usage --version "-?" -V; do
    check "$option with --gate is no PASS" exits 3 "$bench" --gate "$bench" $option
done
check "no such shape" refused "no shape" --gate "$bench" --kernel exp --shape x
check "no such instruction set" refused "nix" --gate "$bench" --isa nix
check "no threshold" refused "threshold" --gate "$bench" --threshold 0
check "no limit" refused "limit" --gate "$bench" --limit -1
check "no place for JSON" refused "$scratch/none" --gate "$bench" --json "$scratch/none/json"
check "no place for JUnit" refused "$scratch/none" --gate "$bench" --junit "$scratch/none/xml"
for option in --csv --smoke --all --list --curves "--peers none" "--data x" "--dim 3" "--pairs x" "--once x" "--tables x" \
    "--profile avx2" "--precision 1" --serve --launch "--undisturbed x"; do
    # shellcheck disable=SC2086
    check "$option with --gate" refused "does not go with --gate" --gate "$bench" $option
done
check "--junit without --gate" refuses "goes with --gate" "$bench" --junit "$scratch/xml"
check "--threshold without --gate" refuses "goes with --gate" "$bench" --threshold 3

# ---- doctor --------------------------------------------------------------------------------------

check "doctor" sh -c "'$bench' doctor --launches 8 >'$scratch/out'"
check "it looks at the machine" says '^hypervisor '
check "it has levels" says '^cosine_query  *170x768  *[0-9.]* '
check "it counts doubts" says '^[0-9]* doubts\{0,1\}$'
check "doctor takes no arguments" refuses "takes options only" "$bench" doctor now
check "doctor's launches" refuses "no count from 8" "$bench" doctor --launches 3
finish
