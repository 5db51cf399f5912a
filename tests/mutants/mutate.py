#!/usr/bin/env python3
"""mutate.py - plants small bugs all over kernels/, one at a time, and counts what the checks find.
SPDX-License-Identifier: MIT

usage: make mutants MUTANT_ARGS='[--count N] [--seed N] [--seconds S] [--only TEXT] [--brief] [--neon]
                                 [--least PERCENT] [--jobs N] [--record FILE]
                                 [--journal FILE]'
       make mutants MUTANT_ARGS='--list [--count N] [--only TEXT]'

A mutant is one place of one file changed by one operator (OPERATORS below). Places are sampled
with a seed, every operator as often as every other. Each mutant is built in a copy of the tree,
one object anew, and judged by the cheapest check first:

  1  mmk-check --quick, of what the file belongs to, on the instruction set that the file is for and
     another one, up to a failure
  2  of what all instruction sets share: mmk-check --quick on all of them, and tests/fingerprints
     (not on what the compiler makes of plain C for wide ones, which would take half of the time to
     build)
  3  the unit tests (build/bin/test-*) of what the file belongs to
  4  mmk-check, all shapes of what the file belongs to, on the two instruction sets of step 1 (not
     with --brief)

A mutant that no check finds has survived, unless tests/mutants/equivalent names it with the reason
why nobody could tell (speed only, say). One that does not compile, or leaves mmk-check's machine
code as it is, is no mutant and is replaced by the next of the sample. Before the first everything
is run without any (not with --brief): what fails then proves nothing.

With --journal each verdict is noted in a file as it is reached; a run with the same journal goes on
where the last one ended, and judges a mutant again only if its file has changed since, or its line
is taken out of the journal.

Ends with 1 if less than --least percent (95) were killed. The closing line counts mutants: those
that survived have failed where these are too many, and else are skipped, for nothing is proved;
as where --seconds were over before half of --count were judged, which says nothing of the checks.
"""
import argparse
import concurrent.futures
import hashlib
import json
import os
import random
import re
import shlex
import shutil
import subprocess
import sys
import threading
import time

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
EQUIVALENT = os.path.join(ROOT, "tests", "mutants", "equivalent")
MACHINE = os.uname().machine
BUILD = os.environ.get("BUILD", os.path.join(".build", MACHINE))
MAKE_AS = shlex.split(os.environ.get("MAKE_AS", "")) # as the build was made, or all is made anew
CROSS_BUILD = os.environ.get("CROSS_BUILD", os.path.join(BUILD, "aarch64"))

# What is for speed alone: all results are the same without it. Of a line with a call that computes
# nothing is left out, but what is changed in it may be such an argument.
FOR_SPEED = re.compile(r"prefetch|tile_fetch|FETCH|AHEAD|madvise|MM_HINT|"
                       r"CHUNKS_PER_WORKER|FINE_DEPTH|PEEK_|SHARE_BYTES|\bfold = ")


# ---- Places ---------------------------------------------------------------------------------------

def blank(text):
    """The text with comments, strings and preprocessor lines, but #define, as spaces of the same
    length."""
    def spaces(match):
        return re.sub(r"[^\n]", " ", match.group(0))
    text = re.sub(r"/\*.*?\*/|//[^\n]*|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'", spaces, text,
                  flags=re.S)
    return re.sub(r"^[ \t]*#(?![ \t]*define\b)(?:[^\n\\]|\\.|\\\n)*", spaces, text, flags=re.M)


def replaced(operator, pattern, replacements):
    """Every match of a pattern by each of the replacements: texts or functions of the match."""
    regex = re.compile(pattern)

    def places(text):
        for match in regex.finditer(text):
            for new in replacements:
                new = new(match) if callable(new) else match.expand(new)
                if new is not None and new != match.group(0):
                    yield operator, match.start(), match.end(), new
    return places


def integers(match):
    value, suffix = match.group(1), match.group(2)
    number = int(value, 0)
    for new in (number + 1, number - 1, number * 2, number // 2):
        if new >= 0 and new != number:
            yield (hex(new) if value.startswith("0x") else str(new)) + suffix


def integer_places(text):
    for match in re.finditer(r"(?<![\w.])(0x[0-9a-fA-F]+|[0-9]+)([uUlL]*)(?![\w.])", text):
        for new in integers(match):
            yield "constant", match.start(), match.end(), new


def statement_places(text):
    """Whole statements on lines of their own, without declarations and jumps."""
    kept = re.compile(r"^\s*(return|break|continue|goto|case|default|typedef|extern|static|const|"
                      r"struct|enum|union|unsigned|signed|int|bool|char|float|double|size_t|void|"
                      r"u?int\d+_t|__m\w+|float32\w+|uint32\w+|int32\w+|else|\}|_Static_assert)\b")
    for match in re.finditer(r"^[ \t]+[\w*(][^;{}\n]*(?:\n[ \t][^;{}\n]*){0,5};[ \t]*$", text, flags=re.M):
        statement = match.group(0)
        first = statement.strip().split("\n")[0]
        if kept.match(statement) or re.match(r"\s*(if|for|while|do)\b", first):
            continue
        if re.match(r"\s*[\w]+\s*\**\s+\*?\w+(\[[^\]]*\])*\s*(=|;|,)", statement):
            continue
        start = match.start() + len(statement) - len(statement.lstrip())
        yield "drop statement", start, match.end(), ";"


def split_arguments(text, start):
    """The spans of the arguments of a call whose '(' is at start; None if it does not end."""
    depth, spans, begin = 0, [], start + 1
    for at in range(start, min(len(text), start + 600)):
        c = text[at]
        if c in "([{":
            depth += 1
        elif c in ")]}":
            depth -= 1
            if depth == 0:
                spans.append((begin, at))
                return spans
        elif c == "," and depth == 1:
            spans.append((begin, at))
            begin = at + 1
        elif c == ";":
            return None
    return None


def swap_places(text):
    """Neighbouring arguments of calls; declarations and definitions are left alone."""
    for match in re.finditer(r"\b([a-z_]\w*)\(", text):
        if match.group(1) in ("if", "for", "while", "switch", "sizeof", "return", "defined",
                              "__attribute__", "_Pragma"):
            continue
        spans = split_arguments(text, match.end() - 1)
        if not spans or len(spans) < 2:
            continue
        words = [text[a:b].strip() for a, b in spans]
        if any(re.match(r"(const |struct |enum |unsigned |size_t |float |double |void |int |bool |__m"
                        r"|uint32_t |float32)", w) for w in words):
            continue
        for i in range(len(spans) - 1):
            if words[i] and words[i + 1] and words[i] != words[i + 1]:
                new = text[spans[i + 1][0]:spans[i + 1][1]].strip() + ", " + words[i]
                first = spans[i][0] + len(text[spans[i][0]:spans[i][1]]) - len(
                    text[spans[i][0]:spans[i][1]].lstrip())
                yield "swap arguments", first, spans[i + 1][1], new


def unfused_places(text):
    """fmaf(a, b, c) with its product rounded."""
    for match in re.finditer(r"\bfmaf\(", text):
        spans = split_arguments(text, match.end() - 1)
        if spans and len(spans) == 3:
            a, b, c = (text[start:end].strip() for start, end in spans)
            yield "fused", match.start(), spans[2][1] + 1, "((%s) * (%s) + (%s))" % (a, b, c)


def lane_places(text):
    for match in re.finditer(r"_MM_SHUFFLE\((\d), (\d), (\d), (\d)\)", text):
        digits = [int(d) for d in match.groups()]
        for i in range(4):
            new = list(digits)
            new[i] = (new[i] + 1) % 4
            yield ("lane", match.start(), match.end(),
                   "_MM_SHUFFLE(%d, %d, %d, %d)" % tuple(new))
    for match in re.finditer(r"\bv(?:trn|zip|uzp)([12])q_\w+", text):
        other = "2" if match.group(1) == "1" else "1"
        at = match.start(1)
        yield "lane", at, at + 1, other
    for a, b in (("unpacklo", "unpackhi"), ("movehl", "movelh"), ("vget_low", "vget_high")):
        for x, y in ((a, b), (b, a)):
            for match in re.finditer(x, text):
                yield "lane", match.start(), match.end(), y


def sides(match):
    """x for y, rows for columns."""
    pairs = {"x": "y", "y": "x", "row": "col", "col": "row", "rows": "cols", "cols": "rows",
             "row_side": "col_side", "col_side": "row_side", "ldx": "ldy", "ldy": "ldx",
             "dx": "dy", "dy": "dx", "lse_x": "lse_y", "lse_y": "lse_x", "xx": "yy", "yy": "xx",
             "weight_x": "weight_y", "weight_y": "weight_x", "m": "n", "n": "m"}
    return match.group(1) + pairs[match.group(2)]


OPERATORS = [
    statement_places,
    swap_places,
    integer_places,
    lane_places,
    replaced("float constant", r"(?<![\w.])(?!0\.0*f)(\d+\.\d*|0x[\da-f.]+p[-+]?\d+)f\b",
             [r"(2 * \g<0>)", r"(\g<0> * 1.0001f)"]),
    replaced("comparison", r"(?<=[\w)\]] )(<=|>=|<|>)(?= [\w(*&!-])",
             [lambda m: {"<": "<=", "<=": "<", ">": ">=", ">=": ">"}[m.group(1)]]),
    replaced("equality", r"(?<= )(==|!=)(?= )",
             [lambda m: {"==": "!=", "!=": "=="}[m.group(1)]]),
    replaced("logic", r"(?<= )(&&|\|\|)(?=\s)",
             [lambda m: {"&&": "||", "||": "&&"}[m.group(1)]]),
    replaced("condition", r"\bif \(([^;{}\n]*)\)(?=\n| [\w{])",
             [r"if (false && (\1))", r"if (true || (\1))"]),
    replaced("sign", r"(?<=[\w)\]] )([+-])(?= [\w(*&])",
             [lambda m: {"+": "-", "-": "+"}[m.group(1)]]),
    replaced("sign", r"\b_mm(512|256|)_(add|sub)_(ps|ss|epi32)\b",
             [lambda m: "_mm%s_%s_%s" % (m.group(1), {"add": "sub", "sub": "add"}[m.group(2)],
                                         m.group(3))]),
    replaced("sign", r"\bv(add|sub)q_(f32|u32|s32)\b",
             [lambda m: "v%sq_%s" % ({"add": "sub", "sub": "add"}[m.group(1)], m.group(2))]),
    replaced("fused", r"\b_mm(512|256)_fmadd_ps\(", [r"_mm\1_fmsub_ps(", r"_mm\1_fnmadd_ps("]),
    unfused_places,
    replaced("side", r"(\.|->)(x|y|row_side|col_side|rows|cols|ldx|ldy|dx|dy|lse_x|lse_y|xx|yy|"
             r"weight_x|weight_y|m|n)\b(?!\()", [sides]),
    replaced("precision", r"\bdouble (?=[\w*])", ["float "]),
    replaced("precision", r"\(double\)", [""]),
    replaced("mask", r"\b_mm(512|256)_maskz_loadu_ps\([^,]+, ", [r"_mm\1_loadu_ps("]),
    replaced("mask", r"\b_mm(512|256)_mask_storeu_ps\(([^,]+), [^,]+(?:\([^()]*\)[^,]*)*, ",
             [r"_mm\1_storeu_ps(\2, "]),
    replaced("mask", r"\bsimd_load_(?:tail|first)\(([^,]+), ([^()]*(?:\([^()]*\))?[^()]*)\)",
             [r"simd_load_once(\1)"]),
    replaced("barrier", r"\bthreads_wait\([\w>-]+\);", [";"]),
    replaced("step", r"(\w+)\+\+(?=\))", [r"\1 += 2"]),
    replaced("bound", r"\bsize_(min|max)\(",
             [lambda m: "size_%s(" % {"min": "max", "max": "min"}[m.group(1)]]),
]


class Mutant:
    def __init__(self, path, text, place):
        self.path, self.original = path, text
        self.operator, self.start, self.end, self.new = place
        self.verdict = self.by = None

    @property
    def text(self):
        return self.original[:self.start] + self.new + self.original[self.end:]

    @property
    def line(self):
        return self.original.count("\n", 0, self.start) + 1

    def line_of(self, text):
        begin = self.original.rfind("\n", 0, self.start) + 1
        return text[begin:text.find("\n", begin)].strip()

    @property
    def old_line(self):
        return self.line_of(self.original)

    @property
    def new_line(self):
        return self.line_of(self.text)

    @property
    def next_line(self):
        return self.original[self.original.find("\n", self.start) + 1:].split("\n", 1)[0].strip()

    def entry(self):
        """What the journal says of it."""
        return {"mutant": str(self), "verdict": self.verdict, "by": self.by,
                "file": hashlib.sha256(self.original.encode()).hexdigest()}

    def __str__(self):
        return "%s:%d %s: %s -> %s" % (self.path, self.line, self.operator, self.old_line,
                                       self.new_line)


def mutants_of(path):
    with open(os.path.join(ROOT, path)) as f:
        text = f.read()
    code = blank(text)
    for places in OPERATORS:
        for place in places(code):
            if text[place[1]:place[2]] != code[place[1]:place[2]]:
                continue # a comment or a text in it would be lost
            begin = text.rfind("\n", 0, place[1]) + 1
            end = text.find("\n", place[2])
            if not FOR_SPEED.search(text[begin:end]):
                yield Mutant(path, text, place)


def sources():
    for folder, _, names in sorted(os.walk(os.path.join(ROOT, "kernels"))):
        for name in sorted(names):
            if name.endswith((".c", ".h")) and name not in ("mmk.h", "autovec.h"):
                yield os.path.relpath(os.path.join(folder, name), ROOT)


def isa_of(path):
    match = re.search(r"_?(scalar|avx2|avx512|neon)\.[ch]$", path)
    return match.group(1) if match else ""


# ---- Judging --------------------------------------------------------------------------------------

def is_cross(isa):
    return isa == "neon" and MACHINE != "aarch64"


def compared(isa):
    """The two instruction sets of the first step: the file's and another, both of the fastest that
    are to be had, for scalar takes longer than all others together."""
    if is_cross(isa):
        return [isa, "scalar"]
    fast = [name for name in ("avx2", "avx512", "neon", "scalar") if name in usable_here()]
    if isa == "":
        return fast[:2]
    return [isa] + [name for name in fast if name != isa][:1]


class Tree:
    """A copy of the project as it is built, in which mutants are planted one after the other."""

    def __init__(self, number, emulate, brief):
        self.folder = os.path.join(ROOT, ".build", "mutate", str(number))
        self.emulate, self.brief = emulate, brief
        shutil.rmtree(self.folder, ignore_errors=True)
        os.makedirs(self.folder)
        # With their times, so that nothing is built again.
        for name in ("Makefile", "README.md", "LICENSE"):
            shutil.copy2(os.path.join(ROOT, name), self.folder)
        for name in ("kernels", "ref", "bench", "tests", BUILD):
            shutil.copytree(os.path.join(ROOT, name), os.path.join(self.folder, name), symlinks=True,
                            ignore=shutil.ignore_patterns("__pycache__", "mutate", "mutants-*", "log"))

    def run(self, command, seconds=600, **more):
        environment = dict(os.environ, OMP_WAIT_POLICY="passive", **more)
        for name in ("MAKEFLAGS", "MAKELEVEL", "MMK_ISA"):
            environment.pop(name, None)
        process = subprocess.Popen(command, cwd=self.folder, stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT, env=environment, text=True,
                                   errors="replace", start_new_session=True)
        try:
            output, _ = process.communicate(timeout=seconds)
            return process.returncode, output
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)
            process.communicate()
            return 124, "stopped after %d seconds" % seconds

    def make(self, *targets, isa="", planted=False):
        build = CROSS_BUILD if is_cross(isa) else BUILD
        which = ["ARCH=aarch64"] if is_cross(isa) else MAKE_AS
        # What the compiler makes of plain C for wide instruction sets stays as it is.
        old = ["-o", build + "/lib/libmmk-autovec.a"] if planted else []
        return self.run(["make", "-s", *old, "BUILD=" + build, *which, *targets])

    def program(self, name, isa=""):
        path = os.path.join(CROSS_BUILD if is_cross(isa) else BUILD, "bin", name)
        return (["qemu-aarch64"] if is_cross(isa) else []) + [path], path

    def must_build(self, *targets, isa=""):
        status, output = self.make(*targets, isa=isa)
        if status != 0:
            sys.exit("mutate.py: %s does not build:\n%s" % (" ".join(targets), output[-2000:]))

    def machine_code(self, path):
        """What of a program runs: its sections of code and constants."""
        copy = os.path.join(self.folder, "machine_code")
        status, output = self.run(["objcopy", "-O", "binary", "-j", ".text", "-j", ".rodata",
                                   "-j", ".data", "-j", ".data.rel.ro", path, copy])
        if status != 0 and "aarch64" in path:
            status, output = self.run(["aarch64-linux-gnu-objcopy", "-O", "binary", "-j", ".text",
                                       "-j", ".rodata", "-j", ".data", "-j",
                                       ".data.rel.ro", path, copy])
        if status != 0:
            sys.exit("mutate.py: objcopy cannot read %s:\n%s" % (path, output))
        with open(copy, "rb") as f:
            return hashlib.sha256(f.read()).hexdigest()

    def build(self):
        """Sees to it that all is built, and keeps what mmk-check is without a mutant."""
        self.must_build("all", "units")
        self.clean = {}
        for isa in ("", "neon")[:1 + self.emulate]:
            if isa:
                self.must_build("all", isa=isa)
            _, path = self.program("mmk-check", isa)
            self.clean[path] = self.machine_code(path)

    def check_without(self):
        """Runs all checks without a mutant: what fails then proves nothing later."""
        tests = sorted(set(sum(UNIT_TESTS.values(), [])))
        commands = [self.program(test)[0] for test in tests]
        for isa in ("", "neon")[:1 + self.emulate]:
            commands.append(self.program("mmk-check", isa)[0] + ["--quick", "--quiet"])
        for command in commands:
            status, output = self.run(command, 900)
            if status != 0:
                sys.exit("mutate.py: %s fails without a mutant:\n%s" %
                         (" ".join(command), output[-2000:]))

    def kernels(self, path, isa):
        """Names of the kernels that a folder's code serves; [] means all."""
        folder = path.split("/")[1] if path.count("/") > 1 else ""
        command, _ = self.program("mmk-check", isa)
        _, output = self.run(command + ["--list"])
        names = re.findall(r"^  (\w+) +\w+ +\d+  ", output, flags=re.M)
        parts = {"query": "query|squared", "pair": "pair|rows|normal|cosine", "topk": "topk|search",
                 "search": "search", "matrix": "matrix", "gallery": "gallery", "exp": "exp",
                 "retrieval": "retrieval", "infonce": "infonce|sigmoid|alignment|uniformity|csd"}
        if folder not in parts:
            return []
        return [n for n in names if re.search(parts[folder], n)]

    def fails(self, command, seconds):
        """The status of mmk-check. Bad options, 2, are a find only where the tree without the mutant
        takes them: an instruction set may be gone."""
        status, _ = self.run(command, seconds)
        if status == 2:
            whole = [os.path.join(ROOT, part) if part.endswith("bin/mmk-check") else part
                     for part in command]
            if self.run(whole, seconds)[0] == 2:
                sys.exit("mutate.py: mmk-check does not take its options here: %s"
                         % " ".join(command))
        return status

    def judge(self, mutant, tests_of):
        target = os.path.join(self.folder, mutant.path)
        isa = isa_of(mutant.path)
        with open(target, "w") as f:
            f.write(mutant.text)
        try:
            return self.judge_planted(mutant, isa, tests_of)
        finally:
            with open(target, "w") as f:
                f.write(mutant.original)

    def judge_planted(self, mutant, isa, tests_of):
        command, path = self.program("mmk-check", isa)
        status, output = self.make(path, isa=isa, planted=True)
        if status != 0 or self.machine_code(path) == self.clean[path]:
            return "no mutant", ""
        names = self.kernels(mutant.path, isa)
        some = ["--kernel", ",".join(names)] if names else []
        # What one instruction set's file does is told by comparing it with another's; what all share
        # shows in each, and in the stored bits.
        pair = ["--isa", ",".join(compared(isa))]
        every = ["--isa", "scalar,neon" if is_cross(isa) else ",".join(sorted(usable_here() - {""}))]
        quick = ["--quick", "--stop", "--quiet"]
        steps = [quick + pair + some]
        if isa == "" or not some:
            steps.append(quick + every + some)
        for arguments in steps:
            status = self.fails(command + arguments, 120 if isa != "neon" else 600)
            if status != 0:
                return "killed", "mmk-check --quick" + (" (endless)" if status == 124 else "")
        if isa != "neon":
            if isa == "":
                status, output = self.run(["tests/fingerprints.sh"] + some, 300, BUILD=BUILD)
                if status != 0:
                    return "killed", "tests/fingerprints"
            for test in tests_of(mutant.path):
                run_test, program = self.program(test)
                status, output = self.make(program, planted=True)
                if status != 0: # which uses what the kernels do not
                    return "no mutant", ""
                status, output = self.run(run_test, 300)
                if status != 0:
                    return "killed", test
            if some and not self.brief:
                status = self.fails(command + ["--stop", "--quiet"] + pair + some, 900)
                if status != 0:
                    return "killed", "mmk-check"
        return "survived", ""


UNIT_TESTS = {
    "pair": ["test-cosine", "test-query", "test-range", "test-far"], "query": ["test-query", "test-cosine"],
    "matrix": ["test-origin", "test-range", "test-faults"],
    "tile": ["test-origin", "test-search", "test-batch"],
    "search": ["test-search", "test-origin", "test-query", "test-far", "test-faults"],
    "gallery": ["test-search", "test-origin", "test-faults"],
    "topk": ["test-topk", "test-search", "test-far", "test-faults"], "exp": ["test-exp"],
    "infonce": ["test-batch", "test-range", "test-targets", "test-status", "test-faults"],
    "call": ["test-status", "test-processes", "test-fp_state", "test-faults"],
    "isa": ["test-isa", "test-processes"], "retrieval": ["test-retrieval"],
    "simd": ["test-simd", "test-exp", "test-batch"], "rows": ["test-isa"],
}


def unit_tests(path):
    folder = path.split("/")[1] if path.count("/") > 1 else ""
    return UNIT_TESTS.get(folder, ["test-status"])


def equivalents():
    """(path, line, changed line) -> [(next line, reason)], from the file of that name. A reason holds
    for one place: where the line stands in several, the next line tells which, or "any" that it
    holds for all. Ends the run where an entry names no place, or several."""
    found = {}
    with open(EQUIVALENT) as f:
        blocks = re.split(r"\n\s*\n", f.read().strip())[1:]
    for block in blocks:
        fields = dict(re.findall(r"^(file|from|next|to|why): (.*)$", block, flags=re.M))
        if set(fields) - {"next"} != {"file", "from", "to", "why"}:
            sys.exit("%s: an entry lacks file, from, to or why:\n%s" % (EQUIVALENT, block))
        with open(os.path.join(ROOT, fields["file"])) as f:
            lines = [line.strip() for line in f.read().split("\n")] + [""]
        after, places = fields.get("next"), []
        for line, following in zip(lines, lines[1:]):
            if line == fields["from"] and after in (None, "any", following):
                places.append(following)
        if not places or (len(places) > 1 and after != "any"):
            sys.exit("%s: this stands in %d places; say the next line, or next: any:\n%s"
                     % (EQUIVALENT, len(places), block))
        found.setdefault((fields["file"], fields["from"], fields["to"]), []).append(
            (after, fields["why"]))
    return found


def reason_of(mutant, known):
    """Why nobody can tell the mutant; None where that is not known."""
    for after, why in known.get((mutant.path, mutant.old_line, mutant.new_line), []):
        if after in (None, "any", mutant.next_line):
            return why
    return None


class Journal:
    """Verdicts of earlier runs, and of this one as they are reached. Without a file none."""

    def __init__(self, path):
        self.path, self.known = path, {}
        if path and os.path.exists(path):
            with open(path) as f:
                for number, line in enumerate(f, 1):
                    try:
                        entry = json.loads(line)
                        self.known[entry["mutant"], entry["file"]] = entry["verdict"], entry["by"]
                    except (ValueError, KeyError, TypeError):
                        sys.exit("mutate.py: %s:%d: no verdict of a mutant; take the line out"
                                 % (path, number))

    def verdict(self, mutant):
        entry = mutant.entry()
        return self.known.get((entry["mutant"], entry["file"]))

    def note(self, mutant):
        if self.path:
            with open(self.path, "a") as f:
                f.write(json.dumps(mutant.entry()) + "\n")


# ---- Report ---------------------------------------------------------------------------------------

def table(done):
    rows = {}
    for m in done:
        folder = m.path.split("/")[1] if m.path.count("/") > 1 else "mmk.c"
        for key in ((folder, isa_of(m.path) or "all"), ("together", "")):
            counts = rows.setdefault(key, {"killed": 0, "survived": 0, "equivalent": 0})
            counts[m.verdict] += 1
    lines = ["| room | instruction set | killed | survived | equivalent |", "|---|---|--:|--:|--:|"]
    for key in sorted(rows, key=lambda k: (k[0] == "together", k)):
        c = rows[key]
        lines.append("| %s | %s | %d | %d | %d |" % (*key, c["killed"], c["survived"],
                                                     c["equivalent"]))
    return "\n".join(lines)


def report(done, arguments, pool_size):
    killed = sum(m.verdict == "killed" for m in done)
    survived = [m for m in done if m.verdict == "survived"]
    equal = [m for m in done if m.verdict == "equivalent"]
    share = 100.0 * killed / max(1, killed + len(survived))
    by = {}
    for m in done:
        if m.verdict == "killed":
            by[m.by] = by.get(m.by, 0) + 1
    lines = ["# Mutants", "",
             "%d mutants, sampled from %d places with seed %d: %d killed, %d survived, %d equivalent: "
             "%.1f %% of those that can be found." % (len(done), pool_size, arguments.seed, killed,
                                                     len(survived), len(equal), share), "",
             table(done), "", "Killed by: " + ", ".join("%s %d" % (k, by[k]) for k in
                                                       sorted(by, key=by.get, reverse=True)) + ".", ""]
    if survived:
        lines += ["## Survived", ""] + ["- `%s`" % m for m in survived] + [""]
    return share, "\n".join(lines)


def usable_here():
    """Instruction sets whose mutants can be judged here; "" is what all share."""
    with open("/proc/cpuinfo") as f:
        flags = set(f.read().split())
    usable = {"", "scalar"}
    if {"avx2", "fma"} <= flags:
        usable.add("avx2")
    if {"avx512f", "avx512bw", "avx512dq", "avx512vl"} <= flags:
        usable.add("avx512")
    if MACHINE == "aarch64":
        usable.add("neon")
    return usable


def sample(arguments):
    pool = [m for path in sources() if arguments.only in path for m in mutants_of(path)]
    usable = usable_here() | ({"neon"} if arguments.neon else set())
    pool = [m for m in pool if isa_of(m.path) in usable]
    chooser = random.Random(arguments.seed)
    by_operator = {}
    for m in pool:
        by_operator.setdefault(m.operator, []).append(m)
    for places in by_operator.values():
        chooser.shuffle(places)
    order = []
    names = sorted(by_operator)
    while any(by_operator[n] for n in names):
        chooser.shuffle(names)
        order += [by_operator[n].pop() for n in names if by_operator[n]]
    return pool, order


def main():
    parser = argparse.ArgumentParser(description="Plants small bugs in kernels/ and counts what the "
                                                 "checks find.")
    parser.add_argument("--count", type=int, default=40, help="mutants to judge (default 40)")
    parser.add_argument("--seed", type=int, default=1, help="of the sample (default 1)")
    parser.add_argument("--seconds", type=int, default=10**9, help="no mutant is begun after that")
    parser.add_argument("--only", default="", help="only files whose path contains this")
    parser.add_argument("--neon", action="store_true", help="NEON's files, too, under qemu-aarch64")
    parser.add_argument("--least", type=float, default=95, help="percent that must be killed")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="at once (default: CPUs)")
    parser.add_argument("--brief", action="store_true", help="steps 1 to 3 alone, and nothing is run "
                        "without a mutant: where the checks have just passed")
    parser.add_argument("--record", help="write a report in Markdown to this file")
    parser.add_argument("--journal", help="note verdicts in this file, and go on from those in it")
    parser.add_argument("--list", action="store_true", help="print the sample and end")
    parser.add_argument("--check-list", action="store_true",
                        help="say how many are known to be equivalent, if each names one place, and end")
    arguments = parser.parse_args()
    if arguments.check_list:
        print("%d entries, each of a place that there is" % sum(map(len, equivalents().values())))
        return 0
    if arguments.count < 1 or arguments.jobs < 1:
        parser.error("--count and --jobs must be 1 or more")
    if not 0 <= arguments.least <= 100:
        parser.error("--least is a percentage, 0 to 100")
    for option, path in (("--journal", arguments.journal), ("--record", arguments.record)):
        try:
            if path:
                open(path, "a").close()
        except OSError as problem:
            parser.error("%s: %s cannot be written: %s" % (option, path, problem.strerror))
    if os.path.isabs(BUILD) or os.path.isabs(CROSS_BUILD):
        parser.error("BUILD is %s; it must be a folder of the tree, which is copied" % BUILD)
    pool, order = sample(arguments)
    if not pool:
        parser.error("no file in kernels/ has '%s' in its path" % arguments.only)
    if arguments.list:
        for m in order[:arguments.count]:
            print(m)
        return 0
    known, journal = equivalents(), Journal(arguments.journal)
    trees = [Tree(i, arguments.neon, arguments.brief) for i in range(arguments.jobs)]
    with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool_of_threads:
        list(pool_of_threads.map(Tree.build, trees))
    if not arguments.brief:
        trees[0].check_without()
    start, done, lock, queue = time.time(), [], threading.Lock(), iter(order)

    def work(tree):
        try:
            work_on(tree)
        except SystemExit as failure: # a thread's own would go unseen
            print(failure, file=sys.stderr, flush=True)
            os._exit(2)

    def work_on(tree):
        while True:
            with lock:
                if len(done) >= arguments.count or time.time() - start > arguments.seconds:
                    return
                mutant = next(queue, None)
            if mutant is None:
                return
            began, before = time.time(), journal.verdict(mutant)
            if reason_of(mutant, known):
                mutant.verdict, mutant.by = "equivalent", reason_of(mutant, known)
            elif before:
                mutant.verdict, mutant.by = before
            else:
                mutant.verdict, mutant.by = tree.judge(mutant, unit_tests)
            with lock:
                if not before and mutant.verdict != "equivalent":
                    journal.note(mutant)
                if mutant.verdict == "no mutant":
                    continue
                if len(done) < arguments.count:
                    done.append(mutant)
                    print("%-10s %5.1f s  %s%s" % (mutant.verdict, time.time() - began, mutant,
                                                   "  [%s]" % mutant.by if mutant.by else ""),
                          flush=True)

    threads = [threading.Thread(target=work, args=(tree,)) for tree in trees]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    share, text = report(done, arguments, len(pool))
    if arguments.record:
        with open(arguments.record + ".part", "w") as f:
            f.write(text)
        os.replace(arguments.record + ".part", arguments.record)
    print(text)
    passed = sum(m.verdict != "survived" for m in done)
    too_few = time.time() - start > arguments.seconds and 2 * len(done) < arguments.count
    if too_few:
        print("skipped: %d of %d were judged in %d s, too few for a verdict"
              % (len(done), arguments.count, arguments.seconds))
    enough = share >= arguments.least or too_few
    survived = len(done) - passed
    print("%d passed, %d failed, %d skipped" % (passed, 0 if enough else survived,
                                                survived if enough else 0))
    return 0 if enough else 1


if __name__ == "__main__":
    sys.exit(main())
