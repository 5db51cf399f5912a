# Makefile - builds, checks, times and installs mmk. `make help` lists the targets.
# SPDX-License-Identifier: MIT
#
# There are no source lists: a file's folder says what it belongs to, the end of its name which
# instruction set it is compiled for (topk_avx512.c gets FLAGS_avx512). All output is in
# .build/<arch>/: obj/, lib/ and bin/.
#
#   V=1                     show the commands
#   CC=clang                another compiler (clang needs libomp-dev; `make deps CC=clang` sees to it)
#   WERROR=1                warnings are errors
#   SAN=address,undefined   sanitizers
#   ARCH=aarch64            cross build: libmmk and mmk-check only, linked statically
#   CROSS_COMPILE=prefix-   tools of the cross build (default $(ARCH)-linux-gnu-)
#   EMULATOR=program        what runs a cross-built program (default qemu-$(ARCH))
#   PEER_PREFIX=folder      OpenBLAS, oneDNN, FAISS to compare with, where folder/include and folder/lib have them (else the system's)
#   BUILD=folder            where output goes (default .build/$(ARCH))
#   AUTOVEC=no              without what the compiler makes of plain C for wide instruction sets: half of the time
#   CFLAGS, CPPFLAGS, LDFLAGS, LDLIBS, PREFIX, DESTDIR as usual; not -ffast-math and its kind

HOST_ARCH := $(shell uname -m)
ARCH      ?= $(HOST_ARCH)
BUILD     ?= .build/$(ARCH)
CROSS     := $(if $(filter-out $(HOST_ARCH),$(ARCH)),yes)

# ---- Instruction sets: a new one is a line in each of the two blocks ------------------------------

ISAS_x86_64  := scalar avx2 avx512
ISAS_aarch64 := scalar neon
# What some machines have beyond these: files with such an ending are compiled for them.
EXTENSIONS_x86_64  := avxvnni avx512vnni avx512bf16
EXTENSIONS_aarch64 := neondotprod

FLAGS_scalar :=
FLAGS_avx2   := -mavx2 -mfma -mf16c
FLAGS_avx512 := -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx2 -mfma
FLAGS_neon   :=
FLAGS_avxvnni    := $(FLAGS_avx2) -mavxvnni
FLAGS_neondotprod := -march=armv8.2-a+dotprod
FLAGS_avx512vnni := $(FLAGS_avx512) -mavx512vnni
FLAGS_avx512bf16 := $(FLAGS_avx512) -mavx512bf16

ISAS         := $(or $(ISAS_$(ARCH)),scalar)
ISAS_foreign := $(filter-out $(ISAS),$(sort $(ISAS_x86_64) $(ISAS_aarch64)))
EXTENSIONS_foreign := $(filter-out $(EXTENSIONS_$(ARCH)),$(EXTENSIONS_x86_64) $(EXTENSIONS_aarch64))

# ---- Peers: another library is a file bench/peers/adapters/<name>.c or .cpp and a line in each of these blocks

PEERS     := openblas onednn faiss simsimd usearch
PEER_DEPS := g++ libopenblas-openmp-dev libdnnl-dev libfaiss-dev python3-torch
# Headers from the npm registry, unpacked into $(NPM)/<name>@<version>/. usearch up to 2.21 stands on
# SimSIMD's headers; later ones on NumKong's, which are thirty files to be compiled apart.
PEER_NPM  := simsimd@6.5.5 usearch@2.21.4
NPM        = $(BUILD)/npm
npm_folder = $(NPM)/$(filter $1@%,$(PEER_NPM))

# Debian's FAISS is built for any x86-64, and decodes its 8-bit codes one by one. From the source of the
# same version its scalar quantizer is compiled with the adapter, for this machine.
FAISS_VERSION     = $(shell dpkg-query -W -f '$${source:Version}' libfaiss-dev 2>/dev/null)
FAISS_QUANTIZER   = $(BUILD)/faiss/$(FAISS_VERSION)/ScalarQuantizer.cpp

# What a build of one's own has, in PEER_PREFIX/include and PEER_PREFIX/lib; of the files of a library one.
PREFIX_PEERS            := openblas onednn faiss
PREFIX_HEADERS_openblas := cblas.h openblas_config.h
PREFIX_HEADERS_onednn   := dnnl.h
PREFIX_HEADERS_faiss    := faiss/IndexFlat.h
PREFIX_LIBRARY_openblas := libopenblas.so libopenblas.a
PREFIX_LIBRARY_onednn   := libdnnl.so
PREFIX_LIBRARY_faiss    := libfaiss.so libfaiss.a

PEER_CPPFLAGS_openblas = $(or $(call prefix_cppflags,openblas),$(call openblas,--cflags))
PEER_CPPFLAGS_onednn   = $(call prefix_cppflags,onednn)
PEER_CPPFLAGS_faiss    = $(or $(call prefix_cppflags,faiss),$(addprefix -DFAISS_SQ_HERE -isystem ,$(patsubst %/,%,$(dir $(wildcard $(FAISS_QUANTIZER))))))
PEER_CPPFLAGS_simsimd  = $(SIMSIMD_FLAGS) -isystem $(call npm_folder,simsimd)/include
PEER_CPPFLAGS_usearch  = $(SIMSIMD_FLAGS) $(addprefix -isystem $(call npm_folder,usearch)/,include simsimd/include)
SIMSIMD_FLAGS         := -DSIMSIMD_NATIVE_F16=0 -Wno-unknown-warning-option $(addprefix -Wno-,unused-function uninitialized maybe-uninitialized)

PEER_LIBS_openblas = $(or $(call prefix_libs,openblas),$(call openblas,--libs) $(call rpath,$(call openblas,--variable=libdir)))
PEER_LIBS_onednn   = $(or $(call prefix_libs,onednn),-ldnnl)
PEER_LIBS_faiss    = $(or $(call prefix_libs,faiss),-lfaiss) $(PEER_LIBS_openblas)
PEER_LIBS_simsimd  = -lm
PEER_LIBS_usearch  = -lm

# The OpenBLAS with OpenMP threads where that is installed beside another: all else here has them,
# and two pools of threads take each other's time.
comma    := ,
rpath     = $(addprefix -Wl$(comma)-rpath$(comma),$1)
openblas  = $(shell PKG_CONFIG_PATH='/usr/lib/$(shell $(CC) -print-multiarch)/openblas-openmp/pkgconfig:$(PKG_CONFIG_PATH)' \
    $(PKG_CONFIG) $1 openblas 2>/dev/null)

# A library is named by its file: -L would also find others there, whose headers are the system's.
PEER_FOLDER     := $(if $(PEER_PREFIX),$(abspath $(PEER_PREFIX)))
prefix_headers   = $(addprefix $(PEER_FOLDER)/include/,$(PREFIX_HEADERS_$1))
prefix_library   = $(firstword $(foreach l,$(PREFIX_LIBRARY_$1),$(wildcard $(PEER_FOLDER)/lib/$l)))
# $(call in_prefix,name): the library's file there; nothing where that or a header is missing.
in_prefix        = $(if $(and $(PEER_FOLDER),$(PREFIX_HEADERS_$1)),$(if \
    $(filter-out $(wildcard $(prefix_headers)),$(prefix_headers)),,$(prefix_library)))
prefix_cppflags  = $(if $(in_prefix),-isystem $(PEER_FOLDER)/include)
prefix_libs      = $(if $(in_prefix),$(in_prefix) $(call rpath,$(PEER_FOLDER)/lib))
prefix_needs     = $(addprefix include/,$(PREFIX_HEADERS_$1)) lib/$(firstword $(PREFIX_LIBRARY_$1))
# Whose an adapter is built with, in words.
peer_whose       = $(if $(in_prefix),that of $(PEER_FOLDER),$(if $(filter $1@%,$(PEER_NPM)),that of npm,the system's$(if \
    $(PEER_FOLDER),$(comma) for not all of $(prefix_needs) is in $(PEER_FOLDER))))

ifneq ($(PEER_FOLDER),)
ifeq ($(wildcard $(PEER_FOLDER)/.),)
$(error PEER_PREFIX: there is no folder $(PEER_FOLDER); name one that has include/ and lib/, or leave it out)
endif
ifeq ($(strip $(foreach p,$(PREFIX_PEERS),$(call in_prefix,$p))),)
$(error PEER_PREFIX: $(PEER_FOLDER) has none of $(PREFIX_PEERS), of which onednn would be \
    $(subst $() , and ,$(call prefix_needs,onednn)); name a folder that has one, or leave it out)
endif
endif

# What lies between their products, and what they have in headers, is to be as fast on this machine as
# the compiler can make it.
PEER_CFLAGS         := -O3 -ffast-math -ffp-contract=fast
PEER_CPU            ?= native
PEER_CFLAGS_x86_64  := -march=$(PEER_CPU) -mprefer-vector-width=512
PEER_CFLAGS_aarch64 := -mcpu=$(PEER_CPU)

# ---- Tools and flags ------------------------------------------------------------------------------

ifdef CROSS
CROSS_COMPILE ?= $(ARCH)-linux-gnu-
EMULATOR      ?= qemu-$(ARCH)
endif
ifeq ($(origin CC),default)
CC := $(CROSS_COMPILE)gcc
endif
ifeq ($(origin AR),default)
AR := $(CROSS_COMPILE)ar
endif
OBJCOPY    ?= $(CROSS_COMPILE)objcopy
OBJDUMP    ?= $(CROSS_COMPILE)objdump
PKG_CONFIG ?= pkg-config

CFLAGS ?= -O3 -g
# Where a hot loop starts within a cache line was worth up to 14 % (top-k on AVX2): it is to be the same
# whatever else is linked.
PLACEMENT := -falign-functions=64 -falign-loops=16
# The same bits on every instruction set stand on -ffp-contract=off, and on no flag that relaxes floating
# point or compiles for the machine at hand.
MMK_CFLAGS   := -std=c11 -ffp-contract=off -fno-math-errno -fvisibility=hidden -fPIC -fopenmp $(PLACEMENT)
MMK_CPPFLAGS := -D_GNU_SOURCE=
WARNINGS     := -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wconversion \
                $(if $(WERROR),-Werror)
# clang's ASan makes 16 branches of each masked load of 16 floats, once for every place where it is inlined:
# query_avx512.o becomes 1.1 MB in place of 32 KB, and takes clang 14 a minute at -O3, two thirds of that to
# guess the likelihood of branches. With calls of the checks it takes a fifth.
ASAN_CALLS   := $(if $(and $(findstring clang,$(CC)),$(findstring address,$(SAN))),-mllvm -asan-instrumentation-with-call-threshold=0)
SANITIZE     := $(strip $(if $(SAN),-fsanitize=$(SAN) -fno-sanitize-recover=all -fno-omit-frame-pointer $(ASAN_CALLS)))
MMK_LDFLAGS  := -fopenmp $(SANITIZE) $(if $(CROSS),-static)

# With these the bits depend on compiler and instruction set, which is what the library promises not.
UNSAFE_MATH := -Ofast -ffast-math -funsafe-math-optimizations -fassociative-math -freciprocal-math \
    -ffinite-math-only -fno-signed-zeros -fno-honor-nans -fno-honor-infinities -fapprox-func \
    -fcx-limited-range -fcx-fortran-rules -fsingle-precision-constant -ffp-contract=on \
    -ffp-contract=fast -ffp-contract=fast-honor-pragmas -ffp-model=fast -ffp-model=aggressive \
    -fdenormal-fp-math=% -fdenormal-fp-math-f32=% -mdaz-ftz -mfpmath=% -mrecip -mrecip=%
unsafe := $(filter-out -mfpmath=sse -fdenormal-fp-math=ieee -fdenormal-fp-math-f32=ieee, \
    $(filter $(UNSAFE_MATH),$(CC) $(CFLAGS) $(CPPFLAGS) $(LDFLAGS)))
ifneq ($(unsafe),)
$(error $(unsafe): results are to have the same bits on every machine, and this flag changes them; leave it out)
endif

# Where link-time optimisation compiles, objcopy finds no names to make local; and code would be compiled
# once more, without the flags of its instruction set. The last word wins: it is off for all objects.
NO_LTO := -fno-lto
ifneq ($(filter -flto -flto=%,$(CC) $(CFLAGS) $(CPPFLAGS) $(LDFLAGS)),)
$(info -flto: every object is compiled with -fno-lto after it, so that internal names can be made local)
endif

# Expanded when a recipe runs, not when the Makefile is read: `make deps test` installs them first.
packages  = $(if $(strip $1),$(shell $(PKG_CONFIG) $2 $1))
LIB_PKGS := $(if $(filter x86_64,$(ARCH)),libcpuid)
BENCH_PKGS := jansson zlib
STUDY_PKGS := lapacke
UNIT_PKGS  := cmocka mpfr
MMK_LIBS   = $(call packages,$(LIB_PKGS),--libs) -lm
BENCH_LIBS = $(call packages,$(BENCH_PKGS),--libs)
STUDY_LIBS = $(call packages,$(STUDY_PKGS),--libs)
UNIT_LIBS  = $(call packages,$(UNIT_PKGS),--libs)

PLAIN_COMPILE = $(CC) $(MMK_CPPFLAGS) $(CPPFLAGS) $(MMK_CFLAGS) $(WARNINGS) $(CFLAGS) $(NO_LTO) -MMD -MP
COMPILE = $(PLAIN_COMPILE) $(SANITIZE)

ifndef V
.SILENT:
say = @printf '  %-8s %s\n' '$1' '$2'
else
say = @:
endif

# ---- Files ----------------------------------------------------------------------------------------

OBJ := $(BUILD)/obj
LIB := $(BUILD)/lib
BIN := $(BUILD)/bin

native  = $(filter-out $(foreach isa,$(ISAS_foreign),%_$(isa).c) $(foreach ending,$(EXTENSIONS_foreign),%_$(ending).c),$(sort $1))
objects = $(patsubst %.c,$(OBJ)/%.o,$1)

KERNEL_SRC := $(call native,$(wildcard kernels/*/*.c))
REF_SRC    := $(call native,$(wildcard ref/*.c))
# With what it shares with the other tools in writing files and output.
CHECK_SRC  := $(call native,$(wildcard tests/check/*.c)) $(addprefix bench/base/,new_file.c standard_output.c text.c) \
              bench/machine/identity.c
# A cross build is linked statically, and cannot load a library; nor has it jansson, to merge reports.
ifdef CROSS
CHECK_SRC  := $(filter-out tests/check/library.c,$(CHECK_SRC))
else
CHECK_SRC  += $(wildcard tests/merge/*.c) bench/results/json_parts.c $(addprefix bench/base/,console.c memory.c regular.c)
endif
BENCH_SRC  := $(call native,$(filter-out bench/studies/%,$(wildcard bench/*.c bench/*/*.c)))
STUDY_SRC  := $(call native,$(wildcard bench/studies/*.c))
PROBE_SRC  := $(call native,$(wildcard tests/probe/*.c))
OPS_SRC    := $(wildcard tests/ops/*.c)
TRIAL_SRC  := $(wildcard tests/trials/*.c)
FUZZ_SRC   := $(wildcard tests/fuzz/*.c)
FUZZERS    := $(patsubst tests/fuzz/fuzz_%.c,%,$(filter tests/fuzz/fuzz_%,$(FUZZ_SRC)))
UNIT_SRC   := $(call native,$(wildcard tests/unit/*.c))
UNIT_MAIN  := $(filter tests/unit/test_%,$(UNIT_SRC))
UNIT_HELP  := $(filter-out $(UNIT_MAIN),$(UNIT_SRC))
SCALAR_SRC := $(filter %_scalar.c,$(KERNEL_SRC))
PEER_FILES := $(if $(CROSS)$(SAN),,$(PEERS:%=$(LIB)/peers/%.so) \
                $(patsubst bench/peers/adapters/%,$(LIB)/peers/%,$(wildcard bench/peers/adapters/*.py)))
# Preloaded by tests/faults.sh; a sanitizer has a malloc of its own.
FAULTS     := $(if $(CROSS)$(SAN),,$(LIB)/faults.so)
ALL_SRC    := $(sort $(KERNEL_SRC) $(REF_SRC) $(CHECK_SRC) $(BENCH_SRC) $(STUDY_SRC) $(PROBE_SRC) $(OPS_SRC) $(UNIT_SRC) $(TRIAL_SRC) $(FUZZ_SRC) \
    tests/faults/faults.c)

# The autovec baseline: every *_scalar.c once more with the flags of each wide instruction set. AUTOVEC=no
# leaves it out: half of the time of a build.
AUTOVEC_ISAS := $(if $(filter no,$(AUTOVEC)),,$(filter-out scalar,$(ISAS)))
ifeq ($(AUTOVEC_ISAS),)
MMK_CPPFLAGS += -DMMK_NO_AUTOVEC
endif
autovec       = $(SCALAR_SRC:%.c=$(OBJ)/autovec/$1/%.o)
AUTOVEC_OBJ  := $(foreach isa,$(AUTOVEC_ISAS),$(call autovec,$(isa)))
AUTOVEC_ROWS := $(AUTOVEC_ISAS:%=$(OBJ)/autovec/%.o)

UNIT_BIN := $(if $(CROSS),,$(UNIT_MAIN:tests/unit/test_%.c=$(BIN)/test-%))
PROGRAMS := $(if $(wildcard tests/check/*.c),$(BIN)/mmk-check) \
            $(if $(CROSS),,$(if $(BENCH_SRC),$(BIN)/mmk-bench) $(if $(STUDY_SRC),$(BIN)/mmk-study))
LIBS     := $(LIB)/libmmk.a $(LIB)/libmmk.so
MOVED    := $(if $(CROSS),,$(addprefix $(BIN)/mmk-bench-moved-,5 22 41))

version = $(shell sed -n 's/^.define MMK_VERSION_$1 *//p' kernels/mmk.h)
MAJOR   := $(call version,MAJOR)
VERSION := $(MAJOR).$(call version,MINOR).$(call version,PATCH)
SONAME  := libmmk.so.$(MAJOR)

# ---- Everyday targets -----------------------------------------------------------------------------

.PHONY: all units deps peers fingerprints compilers sanitizers mutants test test-long gate bench curves accuracy study doctor gate-trials tables fuzz fuzzers exp-whole profile asm static style install uninstall clean help check-cross FORCE
.DELETE_ON_ERROR:
.SUFFIXES:

all: $(LIBS) $(PROGRAMS) $(PEER_FILES) ## build the libraries, mmk-check, mmk-bench and mmk-study

units: $(UNIT_BIN) $(BIN)/mmk-probe $(BIN)/mmk-ops $(BIN)/mmk-bench-planted $(FAULTS) $(if $(CROSS),,$(FUZZERS:%=$(BIN)/replay-%))

test: all units check-cross ## run every check and test, but for the planted bugs (SUITES=mutants): this machine, NEON in qemu, CPUs without AVX (SUITES=name...)
ifdef CROSS
	OMP_WAIT_POLICY=passive $(EMULATOR) $(BIN)/mmk-check --quick
else
	BUILD='$(BUILD)' CROSS_BUILD='$(CROSS_BUILD)' CC='$(CC)' SAN='$(SAN)' WERROR= BUILT_WERROR='$(WERROR)' \
	    tests/run $(SUITES)
endif

# make knows failure, not which: the last line says the verdict, and .ci/gate alone exits with it.
gate: ## is this tree slower than a git ref, built alike and timed interleaved? REF=ref [GATE='--kernel topk']
	BUILD='$(BUILD)' CC='$(CC)' CFLAGS='$(CFLAGS)' CPPFLAGS='$(CPPFLAGS)' LDFLAGS='$(LDFLAGS)' LDLIBS='$(LDLIBS)' \
	    .ci/gate '$(REF)' $(GATE)

bench: $(BIN)/mmk-bench $(PEER_FILES) ## time every kernel, save results/<cpu>/<date>/ and results/TABLES.md (BENCH_ARGS=...)
	$(BIN)/mmk-bench --results results $(BENCH_ARGS)

curves: $(BIN)/mmk-bench $(PEER_FILES) ## InfoNCE's time, memory, workspace and threads as curves, saved beside the run (BENCH_ARGS=...)
	$(BIN)/mmk-bench --curves --results results $(BENCH_ARGS)

fingerprints: $(BIN)/mmk-check ## remake tests/fingerprints after a change of bits; shows hashes and errors before and after
	$(BIN)/mmk-check --quick --fingerprint >$(BUILD)/fingerprints
	diff -U0 tests/fingerprints $(BUILD)/fingerprints && echo 'all as before' || true
	cp $(BUILD)/fingerprints tests/fingerprints

compilers: ## does every compiler make the same bits? results/compilers.md, 40 minutes on 2 CPUs (COMPILERS='gcc-11 gcc-12-Os': these)
	tests/compilers/run $(COMPILERS)

sanitizers: ## mmk-check under clang's sanitizers and valgrind (SANITIZERS='memory thread': these; SANITIZERS=--planted: do they find bugs?)
	CC='$(CC)' tests/sanitizers/run $(SANITIZERS)

mutants: all units ## small bugs planted all over kernels/, 40 of them: how many do the checks find? (MUTANT_ARGS='--count 1000 --neon')
	BUILD='$(BUILD)' CROSS_BUILD='$(CROSS_BUILD)' MAKE_AS="CC='$(CC)' WERROR='$(WERROR)'" \
	    python3 tests/mutants/mutate.py $(MUTANT_ARGS)

# Each goes on where another has failed.
test-long: ## what make test and .ci/run have no time for, many hours: kept mutants, each fuzzer 20 minutes, sanitizers, compilers, 1,000 mutants, exp of every float
	failed=; \
	for part in 'test SUITES=mutants' 'fuzz FUZZ_SECONDS=1200 FUZZ_RECORD=results/fuzz.md' 'sanitizers' 'sanitizers SANITIZERS=--planted' 'compilers' \
	    "mutants MUTANT_ARGS='--count 1000 --neon'" "exp-whole"; do \
	    eval "$(MAKE) --no-print-directory $$part" || failed="$$failed; $$part"; \
	done; \
	[ -z "$$failed" ] || { echo "failed:$${failed#;}"; exit 1; }

# Every float, where make test tries one of 61.
exp-whole: $(BIN)/test-exp
	MMK_EXP_STRIDE=1 $(BIN)/test-exp

# Inputs of libFuzzer's making, with clang's sanitizers, each FUZZ_SECONDS long.
FUZZ         ?= $(FUZZERS)
FUZZ_SECONDS ?= 30
fuzz: ## fuzz readers, arguments and kernels with clang's libFuzzer (FUZZ='kernels csr' FUZZ_SECONDS=1200 FUZZ_RECORD=file)
	$(MAKE) --no-print-directory CC=clang BUILD=.build/fuzz CFLAGS='-O1 -g' \
	    SAN=fuzzer-no-link,address,undefined,pointer-overflow fuzzers
	tests/fuzz/run $(if $(FUZZ_RECORD),--record '$(FUZZ_RECORD)') '$(FUZZ_SECONDS)' $(FUZZ)

fuzzers: $(FUZZERS:%=$(BIN)/fuzz-%)

accuracy: $(BIN)/mmk-bench $(PEER_FILES) ## errors of losses against the batch and of every kernel, beside peers', saved beside the run (ACCURACY_ARGS=...)
	$(BIN)/mmk-bench accuracy --results results $(ACCURACY_ARGS)

doctor: $(BIN)/mmk-bench $(MOVED) ## what this machine can resolve today, and what to do about it (DOCTOR_ARGS=...)
	$(BIN)/mmk-bench doctor $(addprefix --build ,$(MOVED)) $(DOCTOR_ARGS)

gate-trials: $(BIN)/mmk-bench-planted ## the gate tried with builds known to be slower, about 90 minutes (TRIALS=...)
	tests/trials/gate $(TRIALS)

tables: $(BIN)/mmk-bench ## make results/TABLES.md and the plots again from the saved raw data
	$(BIN)/mmk-bench --tables results

# A missed target is in the table, and no reason to throw it away.
study: $(BIN)/mmk-study ## run both studies, and keep their tables and figures in results/studies/ (STUDY_ARGS=...)
	mkdir -p results/studies
	for s in misalignment multiplicity; do \
	    $(BIN)/mmk-study $$s --svg results/studies/$$s.svg $(STUDY_ARGS) >$(BUILD)/$$s.md; \
	    [ $$? -lt 2 ] && mv $(BUILD)/$$s.md results/studies/$$s.md || exit; \
	done

clean: ## remove .build/
	rm -rf .build

help: ## this list
	printf 'usage: make [target]... [VARIABLE=value]...\n\n'
	sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' Makefile | \
	    while IFS="$$(printf '\t')" read -r target text; do printf '  %-10s %s\n' "$$target" "$$text"; done
	printf '\nvariables\n\n'
	sed -n 's/^#   \([A-Z].*\)/  \1/p' Makefile

# ---- What the distribution provides ---------------------------------------------------------------

DEPS := gcc libc6-dev binutils pkg-config zlib1g-dev libjansson-dev gnuplot-nox \
        dataset-fashion-mnist strace libcmocka-dev libmpfr-dev liblapacke-dev g++
ifeq ($(HOST_ARCH),x86_64)
DEPS += libcpuid-dev qemu-user gcc-aarch64-linux-gnu libc6-dev-arm64-cross
endif
ifneq ($(findstring clang,$(CC))$(CI),)
DEPS += clang libomp-dev
endif
ifneq ($(CI),)
DEPS += clang-format llvm-19 valgrind libc6-dbg libclang-rt-dev
endif

# $(call missing,packages): those that are not installed.
missing = $(strip $(shell for p in $1; do \
    [ "$$(dpkg-query -W -f '$${db:Status-Status}' "$$p" 2>/dev/null)" = installed ] || echo "$$p"; done))

# $(call install_packages,packages)
define install_packages
	case "$$($(CC) -dumpmachine 2>/dev/null)" in *musl*) \
	    echo "$@: with musl the library builds (make install); the tools and tests need glibc (argp)";; esac
	if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then \
	    echo "$@: no apt here; install what corresponds to: $1"; \
	elif [ -z "$(call missing,$1)" ]; then \
	    echo "$@: nothing to install, all $(words $1) packages are here"; \
	elif [ "$$(id -u)" != 0 ]; then \
	    echo "$@: missing here; run as root and try again:"; \
	    echo "    apt-get update && apt-get install -y --no-install-recommends $(call missing,$1)"; \
	    exit 1; \
	else \
	    echo "$@: installing with apt-get: $(call missing,$1)"; \
	    apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
	        apt-get install -y -qq --no-install-recommends $(call missing,$1); \
	fi
endef

deps: ## install what is missing from the distribution (apt; without root it prints the command)
	$(call install_packages,$(DEPS))

# Each apart: what cannot be had is left out.
define install_peers
	if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then \
	    echo "$@: no apt here; install what corresponds to: $(PEER_DEPS)"; \
	elif [ -z "$(call missing,$(PEER_DEPS))" ]; then \
	    echo "$@: nothing to install with apt, all $(words $(PEER_DEPS)) packages are here"; \
	elif [ "$$(id -u)" != 0 ]; then \
	    echo "$@: missing here; run as root and try again, or go on without:"; \
	    echo "    apt-get update && apt-get install -y --no-install-recommends $(call missing,$(PEER_DEPS))"; \
	else \
	    apt-get update -qq; \
	    for p in $(call missing,$(PEER_DEPS)); do \
	        echo "$@: installing with apt-get: $$p"; \
	        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$$p" || \
	            echo "$@: left out: apt-get could not install $$p"; \
	    done; \
	fi
	mkdir -p $(NPM)
	for p in $(PEER_NPM); do \
	    if [ -d "$(NPM)/$$p" ]; then \
	        echo "$@: nothing to fetch, $$p is in $(NPM)"; \
	    elif ! command -v npm >/dev/null; then \
	        echo "$@: left out: $$p; there is no npm here (Debian's package npm)"; \
	    elif tarball=$$(npm pack --silent --fetch-retries=0 --pack-destination "$(NPM)" "$$p") && \
	        mkdir -p "$(NPM)/new" && \
	        tar -xzf "$(NPM)/$$tarball" -C "$(NPM)/new" --strip-components=1 && \
	        mv "$(NPM)/new" "$(NPM)/$$p" && rm "$(NPM)/$$tarball"; then \
	        echo "$@: unpacked $$p from npm into $(NPM)"; \
	    else \
	        rm -rf "$(NPM)/new"; \
	        echo "$@: left out: npm could not fetch $$p"; \
	    fi; \
	done
	$(if $(FAISS_VERSION),$(fetch_faiss_quantizer))
endef

# Sources are not among what most machines list: lists of our own are read, in a folder of our own.
define fetch_faiss_quantizer
	if [ -f "$(FAISS_QUANTIZER)" ]; then \
	    echo "$@: nothing to fetch, FAISS's scalar quantizer $(FAISS_VERSION) is in $(BUILD)/faiss"; \
	else \
	    mkdir -p $(BUILD)/faiss/new/sources $(BUILD)/faiss/new/lists/partial $(BUILD)/faiss/new/cache/archives/partial && \
	    cd $(BUILD)/faiss/new && \
	    for s in /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources; do \
	        [ ! -f "$$s" ] || sed 's/^deb /deb-src /; s/^Types:.*/Types: deb-src/' "$$s" >"sources/$${s##*/}"; \
	    done && \
	    set -- -qq -o Dir::Etc::SourceList=/dev/null -o Dir::Etc::SourceParts="$$PWD/sources" \
	        -o Dir::State::Lists="$$PWD/lists" -o Dir::Cache="$$PWD/cache" -o APT::Sandbox::User= && \
	    apt-get "$$@" update && apt-get "$$@" source --download-only "faiss=$(FAISS_VERSION)" && \
	    tar -xzf faiss_*.orig.tar.gz --strip-components=3 --wildcards '*/faiss/impl/ScalarQuantizer.cpp' && \
	    mkdir -p "../$(FAISS_VERSION)" && mv ScalarQuantizer.cpp "../$(FAISS_VERSION)" && \
	    echo "$@: fetched FAISS's scalar quantizer $(FAISS_VERSION) with apt-get, to be compiled here" || \
	        echo "$@: left out: FAISS's scalar quantizer stays as its package has it"; \
	    rm -rf "$(abspath $(BUILD))/faiss/new"; \
	fi
endef

peers: ## install the libraries that make bench can compare with (about 700 MB), and build their adapters
	$(install_peers)
	$(if $(PEER_FILES),$(MAKE) --no-print-directory $(PEER_FILES))
	$(if $(PEER_FILES),$(foreach p,$(PEERS),[ -f "$(LIB)/peers/$p.so" ] && \
	    echo "$@: built the adapter of $p with $(call peer_whose,$p)" || \
	    echo "$@: left out the adapter of $p: its headers are not here";))

# `make deps test`: everything is built from files that depend on the flags stamp, and that waits.
AFTER_DEPS := $(filter deps peers,$(MAKECMDGOALS))

# ---- Compiling ------------------------------------------------------------------------------------

# Written anew only when what it says has changed, so a changed flag or compiler rebuilds everything.
FLAGS_STAMP   := $(BUILD)/flags
SOURCES_STAMP := $(BUILD)/sources
PEER_STAMP    := $(BUILD)/peers

# $(call stamp,text)
define stamp
	@mkdir -p $(@D)
	@printf '%s\n' '$(subst ','\'',$1)' | cmp -s - $@ || printf '%s\n' '$(subst ','\'',$1)' >$@
endef

$(FLAGS_STAMP): FORCE | $(AFTER_DEPS)
	$(call stamp,$(COMPILE) | $(foreach isa,$(ISAS),$(isa): $(FLAGS_$(isa)) |) $(LDFLAGS) $(LDLIBS) $(MMK_LDFLAGS) $(AR) $(OBJCOPY) | $(shell $(CC) --version 2>/dev/null | head -n 1))

$(SOURCES_STAMP): FORCE | $(AFTER_DEPS)
	$(call stamp,$(ALL_SRC))

$(PEER_STAMP): FORCE | $(AFTER_DEPS)
	$(call stamp,$(PEER_COMPILE.c) | $(PEER_COMPILE.cpp) $(foreach p,$(PEERS),| $p: $(PEER_CPPFLAGS_$p) $(PEER_LIBS_$p)))

# Every result says how the library was built.
$(OBJ)/bench/machine/machine.o: private CPPFLAGS += '-DMMK_BUILD_FLAGS="$(strip $(MMK_CFLAGS) $(CFLAGS))"'

# Not a variable of these targets: the stamp of flags would have it, or not, by who asks for it first.
CHECK_CPPFLAGS := $(if $(CROSS),,-DLIBRARY_LOADS=1 -DMERGE_READS=1)

# The part of a file name after its last underscore.
ending = $(lastword $(subst _, ,$(basename $(notdir $1))))

$(OBJ)/%.o: %.c $(FLAGS_STAMP)
	$(call say,CC,$<)
	mkdir -p $(@D)
	$(COMPILE) $(FLAGS_$(call ending,$<)) $(if $(filter tests/check/%,$<),$(CHECK_CPPFLAGS)) -c $< -o $@

# $(call autovec_rule,isa): one object whose only global symbol is the row; isa_row_scalar becomes
# isa_row_autovec_<isa>. Without sanitizers: the source is sanitized as scalar, and ASan takes the renamed
# twin for an error.
define autovec_rule
$(OBJ)/autovec/$1/%.o: %.c $(FLAGS_STAMP)
	$$(call say,AUTOVEC,$$< ($1))
	mkdir -p $$(@D)
	$$(PLAIN_COMPILE) -O3 $(FLAGS_$1) -c $$< -o $$@

$(OBJ)/autovec/$1.o: $(call autovec,$1) $(SOURCES_STAMP)
	$(CC) $(NO_LTO) -r -nostdlib -o $$@ $$(filter %.o,$$^)
	$(OBJCOPY) --redefine-sym isa_row_scalar=isa_row_autovec_$1 --keep-global-symbol isa_row_autovec_$1 $$@
endef
$(foreach isa,$(AUTOVEC_ISAS),$(eval $(call autovec_rule,$(isa))))

# Sanitizers stay out of the way of other people's libraries. An adapter is compiled by its ending.
PEER_CC.c         = $(CC)
PEER_CC.cpp       = $(CXX)
# Where our loops begin is no matter of theirs.
PEER_COMPILE.c    = $(filter-out $(PLACEMENT),$(PLAIN_COMPILE)) $(PEER_CFLAGS) $(PEER_CFLAGS_$(ARCH))
PEER_COMPILE.cpp  = $(CXX) $(CPPFLAGS) $(patsubst -std=%,-std=c++20,$(filter-out $(PLACEMENT),$(MMK_CFLAGS))) \
    $(filter-out -Wstrict-prototypes,$(WARNINGS)) -Wno-missing-field-initializers $(CFLAGS) $(NO_LTO) -MMD -MP $(PEER_CFLAGS) $(PEER_CFLAGS_$(ARCH))
PEER_SHARED      := $(call objects,$(filter-out $(PEERS:%=bench/peers/adapters/%.c),$(wildcard bench/peers/adapters/*.c)))

$(PEER_SHARED): $(OBJ)/%.o: %.c $(FLAGS_STAMP) $(PEER_STAMP)
	$(call say,PEER,$<)
	mkdir -p $(@D)
	$(PEER_COMPILE.c) -c $< -o $@

$(LIB)/libmmk-peers.a: $(PEER_SHARED) $(SOURCES_STAMP)
	$(archive)

# Where a library is not installed its adapter is not built, and mmk-bench says so. Linked without
# -ffast-math, with which loading the object would make denormals zero for the whole process.
# $(call peer_rule,name,ending)
define peer_rule
$(LIB)/peers/$1.so: bench/peers/adapters/$1$2 $(LIB)/libmmk-peers.a $(LIB)/libmmk.a $(FLAGS_STAMP) $(PEER_STAMP) \
    $(if $(call in_prefix,$1),$(call in_prefix,$1) $(call prefix_headers,$1))
	mkdir -p $$(@D) $(OBJ)/bench/peers/adapters
	rm -f $$@
	if [ -n '$$(strip $$(PEER_LIBS_$1))' ] && \
	    $$(PEER_CC$2) $$(filter -std=%,$$(PEER_COMPILE$2)) $$(CPPFLAGS) $$(PEER_CPPFLAGS_$1) -E $$< >/dev/null 2>&1; then \
	    $$(if $$(V),,printf '  %-8s %s\n' PEER "$$< with $$(call peer_whose,$1)" &&) \
	    $$(PEER_COMPILE$2) $$(PEER_CPPFLAGS_$1) -MT $$@ -c $$< -o $(OBJ)/bench/peers/adapters/$1.o && \
	    $$(PEER_CC$2) -shared -fopenmp $$(CFLAGS) $$(LDFLAGS) $(NO_LTO) -Wl,-z,defs -Wl,--exclude-libs,ALL -o $$@ \
	        $(OBJ)/bench/peers/adapters/$1.o $(LIB)/libmmk-peers.a $(LIB)/libmmk.a $$(PEER_LIBS_$1) $$(MMK_LIBS); \
	fi
endef
$(foreach p,$(PEERS),$(eval $(call peer_rule,$p,$(suffix $(wildcard bench/peers/adapters/$p.c bench/peers/adapters/$p.cpp)))))

$(LIB)/peers/%.py: bench/peers/adapters/%.py
	mkdir -p $(@D)
	cp $< $@

-include $(patsubst %.o,%.d,$(call objects,$(ALL_SRC) $(wildcard bench/peers/adapters/*.c)) $(AUTOVEC_OBJ)) \
    $(patsubst %.cpp,$(OBJ)/%.d,$(wildcard bench/peers/adapters/*.cpp))

# ---- Libraries ------------------------------------------------------------------------------------

define archive
	$(call say,AR,$@)
	mkdir -p $(@D)
	rm -f $@
	$(AR) rcs $@ $(filter %.o,$^)
endef

# What the tools and tests link: all of kernels/, internal names reachable.
$(LIB)/libmmk-internal.a: $(call objects,$(KERNEL_SRC)) $(SOURCES_STAMP)
	$(archive)

$(LIB)/libmmk-autovec.a: $(AUTOVEC_ROWS)
	$(archive)

$(LIB)/libmmk-ref.a: $(call objects,$(REF_SRC)) $(SOURCES_STAMP)
	$(archive)

$(LIB)/libmmk-bench.a: $(call objects,$(BENCH_SRC)) $(SOURCES_STAMP)
	$(archive)

$(LIB)/libmmk-study.a: $(call objects,$(STUDY_SRC)) $(SOURCES_STAMP)
	$(archive)

$(LIB)/libmmk-unit.a: $(call objects,$(UNIT_HELP)) $(SOURCES_STAMP)
	$(archive)

# What users link: one object in which only mmk_ names are global.
$(LIB)/libmmk.a: $(call objects,$(KERNEL_SRC)) $(SOURCES_STAMP)
	$(call say,AR,$@)
	mkdir -p $(@D)
	rm -f $@
	$(CC) $(NO_LTO) -r -nostdlib -o $(OBJ)/mmk.o $(filter %.o,$^)
	$(OBJCOPY) --localize-hidden $(OBJ)/mmk.o
	$(AR) rcs $@ $(OBJ)/mmk.o

$(LIB)/libmmk.so: $(call objects,$(KERNEL_SRC)) $(SOURCES_STAMP)
	$(call say,LD,$@)
	mkdir -p $(@D)
	$(CC) -shared -fopenmp $(SANITIZE) $(CFLAGS) $(LDFLAGS) $(NO_LTO) -Wl,-soname,$(SONAME) -Wl,-z,nodelete -Wl,--exclude-libs,ALL \
	    $(if $(SAN),,-Wl,-z,defs) -o $@ $(filter %.o,$^) $(MMK_LIBS) $(LDLIBS)
	ln -sf libmmk.so $(LIB)/$(SONAME)

# ---- Programs -------------------------------------------------------------------------------------

# $(call link,libraries)
define link
	$(call say,LD,$@)
	mkdir -p $(@D)
	$(CC) $(MMK_LDFLAGS) $(CFLAGS) $(LDFLAGS) $(NO_LTO) -o $@ $(filter %.o,$^) $(filter %.a,$^) $1 $(MMK_LIBS) $(LDLIBS) $(QUIET_LIBGOMP)
endef

# A static libgomp.a warns of a dlopen (for accelerators) that is never reached.
ifdef CROSS
QUIET_LIBGOMP = 2>$(OBJ)/$(@F).log || { cat $(OBJ)/$(@F).log; exit 1; }; \
    grep -v -e goacc_profiling -e "'dlopen' in statically" $(OBJ)/$(@F).log || true
endif

TOOL_LIBS := $(if $(AUTOVEC_ROWS),$(LIB)/libmmk-autovec.a) $(LIB)/libmmk-internal.a

# tests/check/library.c stands between the cases and every public function, stagger.c between the
# kernels and what they share work with.
STAGGERED = threads_run threads_each threads_barrier tile_multiply
PUBLIC = $(shell sed -n 's/^MMK_API.*\(mmk_[a-z_0-9]*\)\x28.*/\1/p' kernels/mmk.h)
$(BIN)/mmk-check: $(call objects,$(CHECK_SRC) $(REF_SRC)) $(TOOL_LIBS)
	$(call link,$(patsubst %,-Wl$(comma)--wrap=%,$(STAGGERED) $(if $(CROSS),,$(PUBLIC))) \
	    $(if $(CROSS),,$(call packages,jansson,--libs) -ldl))

$(BIN)/mmk-bench: $(call objects,$(BENCH_SRC) $(REF_SRC)) $(TOOL_LIBS)
	$(call link,$(BENCH_LIBS) -ldl)

# What the gate is tried with: kernels that are slower, wrong, or do not come back.
$(BIN)/mmk-bench-planted: $(OBJ)/tests/trials/planted.o $(call objects,$(BENCH_SRC) $(REF_SRC)) $(TOOL_LIBS)
	$(call link,-Wl$(comma)--wrap=variant_call $(BENCH_LIBS) -ldl)

# The same objects, all code moved by as many cache lines: what placement alone makes of a time.
$(OBJ)/moved-%.o: $(FLAGS_STAMP)
	$(call say,AS,$@)
	mkdir -p $(@D)
	printf '.text\n.balign 64\n.skip 64 * %s, 0x90\n.section .note.GNU-stack,"",%%progbits\n' '$*' | $(CC) $(CFLAGS) -x assembler -c -o $@ -
$(BIN)/mmk-bench-moved-%: $(OBJ)/moved-%.o $(call objects,$(BENCH_SRC) $(REF_SRC)) $(TOOL_LIBS)
	$(call link,$(BENCH_LIBS) -ldl)

# bench/ holds what it prints and plots with; main is its own.
$(BIN)/mmk-study: $(call objects,$(STUDY_SRC)) $(LIB)/libmmk-bench.a $(LIB)/libmmk-ref.a $(TOOL_LIBS)
	$(call link,$(STUDY_LIBS) $(BENCH_LIBS) -ldl)

# Linked like a user's program, against the library that is installed.
$(BIN)/mmk-probe: $(call objects,$(PROBE_SRC)) $(LIB)/libmmk-unit.a $(LIB)/libmmk.a
	$(call link)

$(BIN)/mmk-ops: $(call objects,$(OPS_SRC) tests/check/guard.c) $(LIB)/libmmk-internal.a
	$(call link)

$(BIN)/test-%: $(OBJ)/tests/unit/test_%.o $(LIB)/libmmk-unit.a $(LIB)/libmmk-study.a $(LIB)/libmmk-bench.a $(LIB)/libmmk-ref.a $(TOOL_LIBS)
	$(call link,$(UNIT_LIBS) $(STUDY_LIBS) $(BENCH_LIBS) -ldl)

$(LIB)/faults.so: $(OBJ)/tests/faults/faults.o
	$(call say,LD,$@)
	mkdir -p $(@D)
	$(CC) -shared $(CFLAGS) $(LDFLAGS) $(NO_LTO) -o $@ $< -ldl

# A fuzzer with libFuzzer's main, and with ours.
FUZZ_LIBS = $(LIB)/libmmk-bench.a $(LIB)/libmmk-ref.a $(TOOL_LIBS)
FUZZ_OBJ  = $(call objects,tests/fuzz/fuzz.c tests/check/state.c)
$(BIN)/fuzz-%: $(OBJ)/tests/fuzz/fuzz_%.o $(FUZZ_OBJ) $(FUZZ_LIBS)
	$(call link,-fsanitize=fuzzer $(BENCH_LIBS) -ldl)
$(BIN)/replay-%: $(OBJ)/tests/fuzz/fuzz_%.o $(OBJ)/tests/fuzz/replay.o $(FUZZ_OBJ) $(FUZZ_LIBS)
	$(call link,$(BENCH_LIBS) -ldl)

# ---- The cross build that `make test` runs under the emulator ---------------------------------------

ifeq ($(ARCH)-$(CROSS),x86_64-)
CROSS_BUILD := $(BUILD)/aarch64
CROSS_MAKE   = $(MAKE) --no-print-directory ARCH=aarch64 BUILD=$(CROSS_BUILD) \
    CROSS_COMPILE=aarch64-linux-gnu- CC=aarch64-linux-gnu-gcc AR=aarch64-linux-gnu-ar \
    OBJCOPY=aarch64-linux-gnu-objcopy SAN=
endif

check-cross: | $(AFTER_DEPS)
ifdef CROSS_BUILD
	if command -v aarch64-linux-gnu-gcc >/dev/null; then \
	    $(CROSS_MAKE) all $(CROSS_BUILD)/bin/mmk-probe $(CROSS_BUILD)/bin/mmk-ops; \
	fi
endif

# ---- Profiling ------------------------------------------------------------------------------------

ISA    ?= $(lastword $(ISAS))
PROFILE = $(BIN)/mmk-bench --profile $(K) --isa $(ISA) $(if $(SHAPE),--shape '$(SHAPE)')

define need_kernel
	[ -n "$(K)" ] || { echo "make $@: say which kernel, e.g. make $@ K=infonce_forward ISA=avx512"; exit 2; }
	grep -qs '\.name = "$(K)"' ref/*_cases.c || { echo "make $@: there is no kernel '$(K)'; it is one of:"; \
	    sed -n 's/.*\.name = "\([a-z0-9_]*\)".*/    \1/p' ref/*_cases.c; exit 2; }
endef

profile: $(BIN)/mmk-bench ## one variant in a loop under perf record: K=kernel [ISA=isa] [SHAPE=...]
	$(need_kernel)
	if command -v perf >/dev/null && perf record -q -o $(BUILD)/perf.probe true >/dev/null 2>&1; then \
	    perf record -o $(BUILD)/perf.data $(PROFILE) && \
	    printf '\nnext: perf report -i %s\n      perf annotate -i %s\n      make asm K=%s ISA=%s\n' \
	        $(BUILD)/perf.data $(BUILD)/perf.data '$(K)' '$(ISA)'; \
	else \
	    echo "perf is not installed here, or may not be used (package linux-perf; sysctl"; \
	    echo "kernel.perf_event_paranoid). The command to put under a profiler of your choice:"; \
	    echo "    $(PROFILE)"; \
	fi

asm: $(LIB)/libmmk-internal.a ## disassemble a kernel's inner loops: K=kernel [ISA=isa]
	$(need_kernel)
	for room in $$(sed -n '/\.name = "$(K)"/,/};/s/.*\.rooms = "\(.*\)",/\1/p' ref/*_cases.c); do \
	    o=$(OBJ)/kernels/$$room/$${room}_$(ISA).o; \
	    [ -f kernels/$$room/$${room}_scalar.c ] || o=$(OBJ)/kernels/$$room/$$room.o; \
	    [ -f "$$o" ] || { echo "make asm: no $$o: '$(ISA)' is none of $(ISAS)"; exit 2; }; \
	    $(OBJDUMP) -d --no-show-raw-insn "$$o"; \
	done

# What llvm-mca (of llvm-19, which `make deps` installs in CI only) makes of the loops.
static: $(LIB)/libmmk-internal.a ## results/static-analysis.md: cycles of the hot loops on llvm-mca's cores (needs llvm-19)
ifdef CROSS_BUILD
	command -v aarch64-linux-gnu-gcc >/dev/null || \
	    { echo "make static: there is no aarch64-linux-gnu-gcc; make deps installs it"; exit 2; }
	$(CROSS_MAKE) $(CROSS_BUILD)/lib/libmmk-internal.a
endif
	bench/static-analysis results/static-analysis.md \
	    $(foreach isa,$(filter-out scalar,$(ISAS)),$(isa)=$(OBJ)) \
	    $(if $(CROSS_BUILD),neon=$(CROSS_BUILD)/obj)

# ---- Style ----------------------------------------------------------------------------------------

STYLED = $(wildcard kernels/*.h kernels/*/*.[ch] ref/*.[ch] bench/*.[ch] bench/*/*.[ch] bench/*/*/*.[ch] bench/*/*/*.cpp tests/*/*.[ch])

style: ## check the formatting, the order of rooms and the top level of the tree
	clang-format --dry-run -Werror $(STYLED)
	tests/rooms
	awk 'length > 100 { print FILENAME ":" FNR ": more than 100 columns"; bad = 1 } END { exit bad }' $(STYLED)
	[ "$$(ls | LC_ALL=C sort | tr '\n' ' ')" = "LICENSE Makefile README.md bench kernels ref results tests " ] || \
	    { echo "the top level must be: Makefile README.md LICENSE kernels ref bench tests results"; exit 1; }

# ---- Installing -----------------------------------------------------------------------------------

PREFIX     ?= /usr/local
LIBDIR     ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
INSTALL    ?= install

define MMK_PC
prefix=$(PREFIX)
libdir=$(patsubst $(PREFIX)/%,$${prefix}/%,$(LIBDIR))
includedir=$(patsubst $(PREFIX)/%,$${prefix}/%,$(INCLUDEDIR))

Name: mmk
Description: multimodal kernels: InfoNCE, cosine similarity and top-k, the same bits on every instruction set
Version: $(VERSION)
Cflags: -I$${includedir}
Libs: -L$${libdir} -lmmk
Libs.private: -fopenmp $(MMK_LIBS)
endef
export MMK_PC

install: $(LIBS) ## install mmk.h, both libraries and mmk.pc under PREFIX (default /usr/local), DESTDIR
	$(INSTALL) -d $(DESTDIR)$(INCLUDEDIR) $(DESTDIR)$(LIBDIR)/pkgconfig
	$(INSTALL) -m 644 kernels/mmk.h $(DESTDIR)$(INCLUDEDIR)/mmk.h
	$(INSTALL) -m 644 $(LIB)/libmmk.a $(DESTDIR)$(LIBDIR)/libmmk.a
	$(INSTALL) -m 755 $(LIB)/libmmk.so $(DESTDIR)$(LIBDIR)/libmmk.so.$(VERSION)
	ln -sf libmmk.so.$(VERSION) $(DESTDIR)$(LIBDIR)/$(SONAME)
	ln -sf $(SONAME) $(DESTDIR)$(LIBDIR)/libmmk.so
	printf '%s\n' "$$MMK_PC" >$(DESTDIR)$(LIBDIR)/pkgconfig/mmk.pc

uninstall: ## remove what install put there
	rm -f $(DESTDIR)$(INCLUDEDIR)/mmk.h $(DESTDIR)$(LIBDIR)/libmmk.a $(DESTDIR)$(LIBDIR)/libmmk.so \
	    $(DESTDIR)$(LIBDIR)/$(SONAME) $(DESTDIR)$(LIBDIR)/libmmk.so.$(VERSION) \
	    $(DESTDIR)$(LIBDIR)/pkgconfig/mmk.pc
