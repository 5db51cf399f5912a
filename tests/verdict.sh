#!/bin/sh
# verdict.sh - one verdict over machines: mmk-check --json and merge; and over other libraries: --library.
# SPDX-License-Identifier: MIT
cd "$(dirname "$0")/.." && . tests/suite.inc
mmk_check=$BUILD/bin/mmk-check library=$BUILD/lib/libmmk.so
quick="$mmk_check --quick --quiet --kernel exp"

# ends status pattern command...: that exit status, and a line of output that matches.
ends() {
    expected=$1 pattern=$2
    shift 2
    timeout 60 "$@" >"$scratch/out" 2>&1
    status=$?
    cat "$scratch/out"
    [ "$status" -eq "$expected" ] && grep -qe "$pattern" "$scratch/out"
}

# ---- Reports ----

check "a report" $quick --json "$scratch/here.json"
check "says that this CPU is none, or is one" \
    grep -q '"kind":"\(native\|emulated\|unknown\)","evidence":"..*"' "$scratch/here.json"
check "merge has the counts of the run" \
    ends 0 "^$($quick)\$" "$mmk_check" merge "$scratch/here.json"
check "--json into a missing folder" refuses "$scratch/no/file" $quick --json "$scratch/no/file"
check "--json on a device" refuses 'is a .*; give' $quick --json /dev/full
cp "$scratch/here.json" "$scratch/old.json"
check "--json on a full disk" sh -c "
    ! (trap '' XFSZ && ulimit -f 1 && exec $quick --json '$scratch/old.json')"
check "leaves the old file" cmp "$scratch/here.json" "$scratch/old.json"
check "--emulated is believed" sh -c "
    $quick --shape 1 --emulated --json '$scratch/told.json' &&
    grep -q '\"kind\":\"emulated\",\"evidence\":\"--emulated\"' '$scratch/told.json'"

# ---- Merging reports made up: what each says is known ----

kernels=$("$mmk_check" --list | sed -n '/^fills/q; s/^  \([a-z0-9_]*\) .*/\1/p')
version=$("$mmk_check" --version)
numerics=${version##* } version=${version#mmk-check } version=${version%,*}

# made name kind isa [sed script]: a report of every kernel on one instruction set, its id its name.
made() {
    echo "$kernels" | awk -v id="$1" -v kind="$2" -v isa="$3" -v mmk="$version" -v numerics="$numerics" '
    BEGIN {
        printf "{\"format\":\"mmk-check-2\",\"id\":\"%s\",\n\"mmk\":\"%s\",\"numerics\":%s,", id, mmk, numerics
        printf "\"commit\":\"c\",\n\"library\":null,\n\"machine\":{\"architecture\":\"a\",\"cpu\":\"c\","
        printf "\"kind\":\"%s\",\"evidence\":\"made up\"},\n\"seed\":\"1\",\"repeat\":1,\"quick\":true,\"oracle\":true,", kind
        printf "\"threads\":[1],\n\"narrowed\":{\"kernel\":[],\"shape\":[],\"fill\":[],\"isa\":[]},\n\"kernels\":[\n"
    }
    {
        printf "%s{\"kernel\":\"%s\",\"trials\":1,\"inputs\":\"i\",\"results\":\"r\",", (NR > 1 ? ",\n" : ""), $1
        printf "\"variants\":[{\"variant\":\"%s\",\"passed\":3,\"failed\":0,\"skipped\":0,", isa
        printf "\"skip_reason\":\"\",\"worst_of_bound\":0.5,\"first_failure\":\"\"}]}"
    }
    END { printf "\n],\n\"finished\":true,\"passed\":%d,\"failed\":0,\"skipped\":0}\n", 3 * NR }
    ' | sed "${4:-}" >"$scratch/$1.json"
}

made x native avx2
made n native neon
made e emulated neon
cd "$scratch" || exit 1 # messages name files as they are given
case $mmk_check in /*) ;; *) mmk_check=$OLDPWD/$mmk_check library=$OLDPWD/$library ;; esac
quick="$mmk_check --quick --quiet --kernel exp"
merge="$mmk_check merge"
count=$(echo "$kernels" | wc -l)

check "two machines" ends 0 "^required neon:native: all $count kernels" \
    $merge x.json n.json --require avx2,neon:native --junit j.xml --json v.json
check "have the same bits" ends 0 "^exp .*avx2 .*A a native .* 0.500  as in B" $merge x.json n.json
check "their verdict as JSON" grep -q '"verdict":"passed"' v.json
check "and as JUnit" grep -q '<testcase classname="exp" name="neon:native in any run"></testcase>' j.xml
check "an emulated one is not native" ends 3 "^MISSING neon:native: all $count kernels" \
    $merge x.json e.json --require avx2,neon:native --junit j.xml --json v.json
check "and told why" ends 3 "e.json is emulated: made up ($count kernels)" \
    $merge x.json e.json --require avx2,neon:native
check "missing, in JSON" grep -q '"verdict":"missing".*"missing":{"avx2":\[\],"neon:native":\["' v.json
check "missing, in JUnit" grep -q '"neon:native in any run"><failure message="missing' j.xml
check "an emulated one is emulated" ends 0 "^required neon:emulated" $merge e.json --require neon:emulated
check "any is any" ends 0 "^required neon: all" $merge e.json --require neon
made u unknown neon
check "one of which nobody knows is not native" ends 3 'is of a kind unknown' $merge u.json --require neon:native
check "nor emulated" ends 3 'MISSING neon:emulated' $merge u.json --require neon:emulated

check "in JUnit what was not compared is skipped" sh -c "$merge x.json --junit alone.xml >/dev/null &&
    test \$(grep -c 'same inputs\"><skipped message=' alone.xml) -eq $count && ! grep -q 'same inputs\"><skipped' j.xml"
check "a run narrowed by --kernel counts for that" \
    ends 3 "^MISSING scalar: $((count - 2)) of $count kernels: .*" $merge here.json --require scalar
check "and for no other" ends 3 'left it out (--kernel exp)' $merge here.json --require scalar
made f native neon 's/"fill":\[\]/"fill":["normal"]/'
check "a run narrowed by --fill does not count" ends 3 'was narrowed.*--fill normal' $merge f.json --require neon
made s native neon 's/"shape":\[\]/"shape":["5x"]/'
check "nor one narrowed by --shape" ends 3 'was narrowed.*--shape 5x' $merge s.json --require neon
# Of a run without the oracle the results count where one with the oracle has them, too.
made o native neon 's/"oracle":true/"oracle":false/'
check "a run without the oracle counts beside one that has it" ends 0 'without the oracle' \
    $merge x.json o.json --require neon
check "but not alone" ends 3 "o.json has no oracle (--no-oracle)" $merge o.json --require neon
check "whatever is required" ends 3 '^MISSING the oracle of exp: ' $merge o.json --junit j.xml --json v.json
check "in JSON" grep -q '"verdict":"missing".*"unjudged":\["' v.json
check "in JUnit" grep -q 'name="judged by the oracle"><failure message="missing' j.xml
made p native avx2 's/"oracle":true/"oracle":false/'
check "nor beside another without" ends 3 "o.json has no oracle" $merge o.json p.json --require neon
made d native avx2 's/"results":"r"/"results":"other"/'
check "nor with other results" ends 1 '^MISSING neon' $merge d.json o.json --require neon
made k native neon '/"kernel":"exp"/s/"passed":3/"passed":0/; /"kernel":"exp"/s/"skipped":0,"skip_reason":""/"skipped":3,"skip_reason":"no such CPU"/
    s/"passed":'$((3 * count))',\(.*\)"skipped":0/"passed":'$((3 * count - 3))',\1"skipped":3/'
check "one kernel that was skipped is missing" \
    ends 3 "^MISSING neon: 1 of $count kernels: exp\$" $merge k.json --require neon
check "and told why" ends 3 'k.json skipped it: no such CPU' $merge k.json --require neon

made b native neon '/"kernel":"exp"/s/"results":"r"/"results":"other"/'
check "other bits" ends 1 '^FAIL exp: other bits for the same inputs: x.json b.json' $merge x.json b.json --junit j.xml
check "are one failure" ends 1 " passed, 1 failed, 0 skipped" $merge x.json b.json
check "are in the table" ends 1 '^exp .*DIFFER: A' $merge x.json b.json
check "and in JUnit" grep -q '<failure message="other bits for the same inputs">' j.xml
made t native neon 's/"inputs":"i"/"inputs":"of another seed"/; s/"results":"r"/"results":"other"/; s/"seed":"1"/"seed":"2"/'
check "bits of other inputs are not compared" ends 0 '^exp .*not compared' $merge x.json t.json
made w native neon '/"kernel":"exp"/s/"failed":0,\(.*\)"first_failure":""/"failed":2,\1"first_failure":"what <went> wrong"/
    s/"failed":0,"skipped":0}$/"failed":2,"skipped":0}/'
check "a failure" ends 1 '^FAIL w.json: what <went> wrong' $merge x.json w.json --junit j.xml
check "in JUnit" grep -q '2 of 5 checks failed">what &lt;went&gt; wrong</failure>' j.xml
check "outweighs what is missing" ends 1 '^MISSING avx512' $merge x.json w.json --require avx512
made q native neon 's/"failed":0,"skipped":0}$/"failed":1,"skipped":0}/'
check "a run that failed beside its checks" ends 1 '^FAIL q.json: 1 failed' $merge q.json

check "merge without reports" refuses 'takes the reports' $merge
check "a report that is not there" refuses 'none.json: cannot be opened' $merge x.json none.json
head -c 2000 x.json >cut.json
check "a truncated one" refuses 'cut.json is no JSON file' $merge x.json cut.json
echo '{"format":"mmk-bench-1"}' >bench.json
check "one of mmk-bench" refuses 'bench.json has the format mmk-bench-1, not mmk-check-2' $merge bench.json
echo '{"format":"mmk-check-2"}' >empty.json
check "one that says nothing" refuses 'empty.json is no whole report.*id' $merge empty.json
grep -v '"kernel":"topk_rows"' x.json >lost.json
check "one that has lost a line" refuses "lost.json does not know the kernel 'topk_rows'" $merge lost.json
sed 's/"kernel":"exp"/"kernel":"pxe"/' x.json >other.json
check "a kernel of another build" refuses "other.json has a kernel 'pxe'" $merge other.json
sed 's/"kernel":"exp"/"kernel":"topk"/' x.json >double.json
check "a kernel twice" refuses 'double.json .*topk is there twice' $merge double.json
sed '/"kernel":"exp"/s/"passed":3/"passed":4/' x.json >edited.json
check "counts that do not add up" refuses 'edited.json .*do not add up' $merge edited.json
sed '/"kernel":"exp"/s/"passed":3/"passed":"3"/' x.json >typed.json
check "a text for a number" refuses 'typed.json .*exp' $merge typed.json
check "the same file twice" refuses 'x.json and x.json are the same run' $merge x.json x.json
cp x.json copy.json
check "a copy" refuses 'x.json and copy.json are the same run' $merge x.json n.json copy.json
made h native neon 's/"finished":true/"finished":false/'
check "a run that did not finish" refuses 'h.json .*did not come to its end' $merge x.json h.json
made v native neon 's/"mmk":"[^"]*"/"mmk":"0.0.1"/'
check "another version" refuses "x.json is of mmk $version, and v.json of mmk 0.0.1" $merge x.json v.json
check "not that of this mmk-check" refuses 'v.json is of mmk 0.0.1.*and this mmk-check' $merge v.json
made y native neon 's/"numerics":[0-9]*/"numerics":1/'
check "another numerics version" refuses "numerics version $numerics, and y.json of numerics version 1" $merge x.json y.json
made l native neon 's/"library":null/"library":{"mmk":"0.1.0","numerics":'"$numerics"'}/'
check "one of another library" refuses 'l.json judged a --library, and x.json did not' $merge x.json l.json
check "--require of nothing" refuses "--require takes a name" $merge x.json --require ''
check "a report that would be replaced" refuses 'one of the reports' $merge t.json x.json --json ./x.json
check "a report that would be replaced by JUnit" refuses 'one of the reports' $merge t.json x.json --junit ./t.json
check "one file for both reports" refuses 'both name one; give' $merge x.json --json one --junit one
check "--require of no instruction set" refuses "there is no instruction set 'avx9'" $merge x.json --require avx9
check "--require of no kind" refuses 'native or emulated' $merge x.json --require neon:real
check "merge --junit into a missing folder" refuses 'no/file' $merge x.json --junit no/file
check "merge --json on a device" refuses 'is a .*; give' $merge x.json --json /dev/full

# ---- Emulators ----

cross=$CROSS_BUILD/bin/mmk-check
case $cross in /*) ;; *) cross=$OLDPWD/$cross ;; esac
if have qemu-aarch64 && [ -x "$cross" ]; then
    there="qemu-aarch64 -cpu cortex-a72 $cross --quick --quiet --kernel exp"
    check "a report of NEON in qemu" $there --threads 1 --json there.json
    check "is emulated, and tells how" grep -q '"kind":"emulated","evidence":"the kernel runs .*qemu-' there.json
    check "has the bits of this machine" ends 0 '^logsumexp .*neon .*B aarch64 emulated .*as in A' \
        $merge here.json there.json
    check "is not native" ends 3 'there.json is emulated' $merge here.json there.json --require neon:native
    check "a cross build does not merge" ends 2 'merge: this is a cross build' qemu-aarch64 "$cross" merge x.json
    check "nor load a library" ends 2 'linked statically' qemu-aarch64 "$cross" --library "$library"
else
    skip "reports of an emulated machine: no qemu-aarch64, or no cross-built mmk-check"
fi
if have qemu-x86_64 && [ -z "$SAN" ] && [ "$(uname -m)" = x86_64 ]; then
    check "a report of qemu-x86_64" qemu-x86_64 -cpu Haswell $quick --isa scalar --shape 1 --json haswell.json
    check "is emulated" grep -q '"kind":"emulated"' haswell.json
else
    skip "a report of qemu-x86_64: not here"
fi

# ---- Other libraries ----

own=$("$mmk_check" --list | awk '/^variants/ { on = 1 } on && $2 == "usable" && !/autovec/ { printf "%s,", $1 }')
expected=$($quick --kernel cosine_query_norms,gallery_search --isa "$own")
check "our own library, judged as another" \
    ends 0 "^$expected\$" $quick --kernel cosine_query_norms,gallery_search --isa "$own" --library "$library"
check "is named with its versions" ends 0 "^library /.*/libmmk.so: mmk $version, numerics version $numerics; " \
    "$mmk_check" --quick --kernel exp --shape 1 --library "$library"
check "a library that is not there" refuses 'nowhere.so: No such file' $quick --library nowhere.so
check "a file that is none" refuses 'x.json cannot be loaded' $quick --library x.json

# planted name code [objcopy option]...: libmmk.so, changed, and with code linked in.
planted() {
    name=$1 code=$2
    shift 2
    echo "#include \"$OLDPWD/kernels/mmk.h\"
$code" >"$name.c"
    ar x "${library%.so}.a" mmk.o && objcopy "$@" mmk.o "$name.o" &&
        "$CC" -shared -fPIC -fopenmp -o "$name.so" "$name.c" "$name.o" -lm $(pkg-config --libs libcpuid 2>/dev/null)
}
renamed_exp='--redefine-sym mmk_exp=right_exp'
right_exp='enum mmk_status right_exp(size_t n, const float *x, float *y);'
if [ -n "$SAN" ] || ! planted ulp "#include <math.h>
#include <stdint.h>
#include <string.h>
$right_exp
MMK_API enum mmk_status mmk_exp(size_t n, const float *x, float *y)
{
    enum mmk_status status = right_exp(n, x, y);
    for (size_t i = 0; i < n; i++)
        if (y[i] > 1e-30f && y[i] < 1e30f)
            y[i] = nextafterf(y[i], 2 * y[i]);
    return status;
}" $renamed_exp; then
    skip "planted libraries: no compiler, or sanitizers"
    finish
fi
check "an exp that is an ulp off" ends 1 '^FAIL exp scalar.* right is' $quick --library ./ulp.so --json ulp.json
check "fails, and nothing else" ends 1 '^FAIL ulp.json: exp ' $merge ulp.json
check "logsumexp of the same does not" \
    ends 0 ' passed, 0 failed, 0 skipped' "$mmk_check" --quick --kernel logsumexp --library ./ulp.so

planted one_isa "#include <string.h>
enum mmk_status right_exp(size_t n, const float *x, float *y);
MMK_API enum mmk_status mmk_exp(size_t n, const float *x, float *y)
{
    enum mmk_isa isa;
    enum mmk_status status = right_exp(n, x, y);
    if (mmk_isa_in_use(&isa) == MMK_OK && isa == MMK_ISA_SCALAR && n > 3)
        y[3] *= 1 + 0x1p-23f;
    return status;
}" $renamed_exp
if [ "$own" = scalar, ]; then
    skip "bits that differ: this machine has scalar alone"
else
    check "one instruction set of a library with other bits" \
        ends 1 '^FAIL exp .*y\[0,3\] is' "$mmk_check" --quick --kernel exp --library ./one_isa.so
fi

planted old '' --localize-symbol=mmk_exp
check "an older library, without mmk_exp" ends 0 '^library lacks mmk_exp' \
    "$mmk_check" --quick --kernel exp --library ./old.so --json lacks.json
check "what it lacks is skipped, counted and named" ends 0 '^exp .*skipped [1-9][0-9]*: the library has no mmk_exp' \
    "$mmk_check" --quick --kernel exp --library ./old.so
check "and required, a failure" ends 1 '^FAIL --require scalar: exp was skipped on it: the library has no mmk_exp' \
    "$mmk_check" --quick --kernel exp,topk_rows --library ./old.so --require scalar
check "and missing" ends 3 'lacks.json skipped it: the library has no mmk_exp (1 kernel)' \
    $merge lacks.json --require scalar
planted norms '' --localize-symbol=mmk_squared_norms
check "norms that are an input are ours" ends 0 '^cosine_query_norms .* 0  *0\.' \
    "$mmk_check" --quick --kernel cosine_query_norms,squared_norms --library ./norms.so

version_2='MMK_API const char *mmk_version(void)
{
    return "2.0.0";
}'
planted major "$version_2" --redefine-sym mmk_version=old_version
check "another major version" refuses 'major.so is mmk 2.0.0, and this mmk-check judges 0.x' $quick --library ./major.so
planted no_isa '' --localize-symbol=mmk_isa_use
check "a library that no instruction set can be chosen of" refuses 'no function mmk_isa_use' $quick --library ./no_isa.so
echo 'int mmk_exp(void) { return 0; }' >thin.c
"$CC" -shared -fPIC -Wl,--no-as-needed -o thin.so thin.c "$library" -Wl,-rpath,"$(dirname "$library")"
check "a library that leans on another" refuses 'thin.so has no mmk_version of its own, but that of .*libmmk.so' \
    $quick --library ./thin.so

planted crash "MMK_API enum mmk_status mmk_exp(size_t n, const float *x, float *y)
{
    (void)n, (void)x;
    return *(volatile int *)8 + (y != 0);
}" $renamed_exp
check "a crash in a library" ends 1 '^FAIL exp .*crashed: Segmentation fault' \
    $quick --kernel exp --fill normal --library ./crash.so
planted killer '#include <stdlib.h>
__attribute__((constructor)) static void begin(void)
{
    abort();
}'
check "its failure is repeated with the same threads" ends 1 "^ *again: .* --threads 3 --library '[^']*/ulp.so'$" \
    "$mmk_check" --quick --kernel exp --stop --threads 3 --library ./ulp.so
planted leak "#include <stdlib.h>
$right_exp
MMK_API enum mmk_status mmk_exp(size_t n, const float *x, float *y)
{
    static unsigned calls;
    if (calls++ % 2 == 1)
        *(void *volatile *)&(void *){NULL} = malloc(4096);
    return right_exp(n, x, y);
}" $renamed_exp
check "a leak in every second call" ends 1 '^FAIL exp .*leaves more memory in use after every call' \
    $quick --kernel exp --fill normal --library ./leak.so
check "a library that cannot be loaded alive" ends 1 'crashed while it was loaded: Aborted' $quick --library ./killer.so

odd=$(printf 'a "b" \\n\001\377 <\303\251>.so')
cp "$library" "$odd"
check "a file of an odd name" $quick --shape 1 --library "./$odd" --json odd.json
check "is told in a report that can be read" ends 0 ' passed, 0 failed' $merge odd.json
check "nothing half-written is left" test -z "$(find . -name '*.part')"
finish
