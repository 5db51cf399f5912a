/* main.c - mmk-check: every kernel on every instruction set, against the oracle and bit by bit.
 * SPDX-License-Identifier: MIT
 */
#include "../../bench/base/new_file.h"
#include "../../bench/base/standard_output.h"
#include "../../kernels/call/size.h"
#include "check.h"
#include "fingerprint.h"
#include "guard.h"
#include "report_json.h"
#if MERGE_READS
#include "../merge/merge.h"
#endif

#include <errno.h>
#include <inttypes.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

/* ---- Variants -------------------------------------------------------------------------------- */

static int find_variant(const struct run *run, const char *name)
{
    for (int v = 0; v < run->variant_count; v++)
        if (strcmp(run->variants[v].name, name) == 0)
            return v;
    return -1;
}

/* A variant that was asked for by name must be there and usable. */
static void choose_variant(struct run *run, const char *source, const char *name)
{
    int v = find_variant(run, name);
    if (v < 0 && !run->library && variants_add_named(run->variants, &run->variant_count, name))
        v = run->variant_count - 1;
    if (v < 0 && strchr(name, ':') && !run->library) {
        enum mmk_status status;
        isa_named_row(source, name, &status);
        options_error("%s.", mmk_error_detail());
    }
    if (v < 0) {
        char known[256] = "";
        for (int i = 0; i < run->variant_count; i++)
            snprintf(known + strlen(known), sizeof known - strlen(known), " %s",
                     run->variants[i].name);
        options_error("%s: %s has no instruction set '%s'; it has:%s.", source,
                      run->library ? run->library->path : "this build", name, known);
    }
    if (run->variants[v].usable != MMK_OK)
        options_error("%s: '%s' cannot run here: %s", source, name,
                      mmk_status_string(run->variants[v].usable));
    run->chosen[v] = true;
}

static void choose_variants(struct run *run)
{
    const struct options *o = &run->options;
    const char *environment = getenv("MMK_ISA");
    if (o->isa.count > 0)
        for (int i = 0; i < o->isa.count; i++)
            choose_variant(run, "--isa", o->isa.item[i]);
    else if (environment && *environment) {
        choose_variant(run, "MMK_ISA", environment);
        run->options.isa = (struct list){.item = {environment}, .count = 1}; /* for reports */
    } else
        for (int v = 0; v < run->variant_count; v++)
            run->chosen[v] = true;
}

/* A name that no build has is a slip of the pen, and told before anything runs. */
static void check_required_names(const struct run *run)
{
    for (int i = 0; i < run->options.require.count; i++) {
        const char *name = run->options.require.item[i];
        enum mmk_status named;
        bool known = find_variant(run, name) >= 0 || isa_named_row("--require", name, &named) ||
                     named == MMK_ERR_ISA_UNUSABLE;
        for (unsigned isa = 0; isa < MMK_ISA_COUNT; isa++) {
            const char *known_name = mmk_isa_name((enum mmk_isa)isa);
            known = known || (known_name && strcmp(name, known_name) == 0);
        }
        if (!known)
            options_error("--require %s: there is no such instruction set; --list shows them.",
                          name);
    }
}

/* --require: what is not there or was skipped fails. */
static void check_required(const struct run *run)
{
    for (int i = 0; i < run->options.require.count; i++) {
        const char *name = run->options.require.item[i];
        int v = find_variant(run, name);
        size_t done = 0;
        for (size_t k = 0; v >= 0 && k < kernel_count; k++) {
            const struct cell *cell = &run->report->cell[k][v];
            done += cell->passed + cell->failed;
            if (cell->skipped > 0 && run->variants[v].usable == MMK_OK)
                report_fail_run(run->report, "--require %s: %s was skipped on it: %s", name,
                                kernels[k]->name, cell->skip_reason);
        }
        if (done > 0)
            continue;
        report_fail_run(run->report, "--require %s: no check ran on it: %s", name,
                        v < 0             ? "it is not there"
                        : !run->chosen[v] ? "it was not chosen"
                                          : mmk_status_string(run->variants[v].usable));
    }
}

/* Plain C is called less often than others (check.c), but no variant ever less than once for three
 * times of another, and where there is much work once for twenty (nine times, as it is meant); of
 * few shapes or fills it may be. */
static void check_shares(const struct run *run)
{
    if (run->options.shape.count > 0 || run->options.fill.count > 0 || run->options.stop)
        return;
    for (size_t k = 0; k < kernel_count; k++) {
        const struct cell *cells = run->report->cell[k];
        size_t most = 0, most_great = 0;
        for (int v = 0; v < run->variant_count; v++) {
            most = size_max(most, cells[v].passed + cells[v].failed);
            most_great = size_max(most_great, cells[v].great);
        }
        for (int v = 0; v < run->variant_count; v++) {
            size_t checks = cells[v].passed + cells[v].failed + cells[v].skipped;
            if (run->chosen[v] && run->variants[v].usable == MMK_OK &&
                (checks < most / 3 || cells[v].great < most_great / 20))
                report_fail_run(run->report,
                                "%s on %s had %zu checks, %zu of them great, and another variant "
                                "%zu and %zu",
                                kernels[k]->name, run->variants[v].name, checks, cells[v].great,
                                most, most_great);
        }
    }
}

/* ---- main ------------------------------------------------------------------------------------ */

/* Three threads on two cores: OpenMP workers that spin while they wait would take minutes for what
 * takes seconds. libgomp reads its environment when it is loaded: before this in a dynamic program,
 * which has to start anew, after it in a static one. */
static bool start_anew;

__attribute__((constructor(101))) static void wait_passively(void)
{
    if (!getenv("OMP_WAIT_POLICY")) {
        setenv("OMP_WAIT_POLICY", "passive", 1);
        start_anew = true;
    }
}

/* Not under qemu: what it executes runs outside of it. There the kernel knows this process by
 * another name. Where this fails, the run is slower and right all the same. */
static void run_anew(char **argv)
{
    char name[16] = "", path[4096];
    prctl(PR_GET_NAME, name);
    ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
    if (length <= 0 || strncmp(name, program_invocation_short_name, sizeof name - 1) != 0)
        return;
    path[length] = '\0';
    execv(path, argv);
}

/* What malloc gives holds no zeros, either; also what it would take from the system by itself. */
static void fill_allocations(void)
{
#ifdef __GLIBC__
    mallopt(M_PERTURB, ~GUARD_UNWRITTEN & 0xff); /* new memory has the complement */
    mallopt(M_MMAP_THRESHOLD, 32 << 20);
    mallopt(M_TRIM_THRESHOLD, 1 << 30);
#endif
}

static void print_list(const struct run *run)
{
    printf("kernels (family, shapes in the sweep):\n");
    for (size_t k = 0; k < kernel_count; k++)
        printf("  %-25s %-8s %5zu  %s\n", kernels[k]->name, kernels[k]->family,
               kernels[k]->sweep(run->options.quick, NULL), kernels[k]->formula);
    printf("fills:\n ");
    for (int fill = 0; fill < FILL_GIVEN; fill++)
        printf(" %s", fill_name((enum fill)fill));
    printf("\nvariants:\n");
    for (int v = 0; v < run->variant_count; v++)
        printf("  %-15s %s\n", run->variants[v].name,
               run->variants[v].usable == MMK_OK ? "usable"
                                                 : mmk_status_string(run->variants[v].usable));
}

/* --library: all that follows is of the library. */
static void open_library(struct run *run)
{
    static struct library library;
    static char error[8192];
    if (!LIBRARY_LOADS)
        options_error(
            "--library: this mmk-check is linked statically, and cannot load one; use one "
            "that was built on the machine itself.");
    if (!library_open(&library, run->options.library, error, sizeof error))
        options_error("--library: %s.", error);
    run->library = &library;
    run->variant_count = variants_find_theirs(run->variants);
}

/* A cross build writes reports, and has no jansson to read them with. */
static int merge(int argc, char **argv)
{
#if MERGE_READS
    return merge_main(argc, argv);
#else
    (void)argc, (void)argv;
    options_error("merge: this is a cross build, which has no jansson; take the reports to a "
                  "machine with an mmk-check of its own.");
#endif
}

static void say_what_runs(const struct run *run)
{
    if (run->library) {
        const struct library *library = run->library;
        printf("library %s: mmk %s, numerics version %d; %zu functions are called in it\n",
               library->path, library->version, library->numerics, library->found);
        if (library->lacks[0])
            printf("library lacks %s: what needs them is skipped\n", library->lacks);
        if (MMK_VERSION_MAJOR == 0 && strcmp(library->version, run->version) != 0)
            printf("library is another version than mmk-check: while the major version is 0, "
                   "failures may be differences of the interface\n");
        printf("autovec variants are not a library's, and left out\n");
    }
    printf("mmk-check %s, numerics version %d, seed %" PRIu64 ", runs on:", run->version,
           run->numerics, run->options.seed);
    for (int v = 0; v < run->variant_count; v++) {
        const struct variant *variant = &run->variants[v];
        if (!run->chosen[v])
            continue;
        printf(" %s%s", variant->name,
               variant->usable == MMK_OK ? "" : " (skipped, not usable here)");
        /* with and without it, by turns, unless its name says so */
        if (variant->usable == MMK_OK && !variant->named && variant->row.extension &&
            strcmp(variant->row.extension, "base") != 0)
            printf(" (and %s)", variant->row.extension);
    }
    printf("\n");
}

int main(int argc, char **argv)
{
    static struct run run; /* guards and lists start at zero */
    static struct host host;
    if (start_anew)
        run_anew(argv);
    standard_output_watch();
    if (argc > 1 && strcmp(argv[1], "merge") == 0)
        return merge(argc - 1, argv + 1);
    options_parse(&run.options, argc, argv);
    char error[4600];
    run.version = mmk_version();
    run.numerics = mmk_numerics_version();
    if (!kernels_complete(error, sizeof error))
        options_error("%s", error);
    run.variant_count = variants_find(run.variants);
    if (run.options.library)
        open_library(&run);
    if (kernel_count > REPORT_KERNELS)
        options_error("REPORT_KERNELS in report.h is too small for %zu kernels.", kernel_count);
    options_check_names(&run.options);
    choose_variants(&run);
    check_required_names(&run);
    if (run.options.junit && !new_file_possible(run.options.junit, error, sizeof error))
        options_error("--junit %s.", error);
    if (run.options.json && !new_file_possible(run.options.json, error, sizeof error))
        options_error("--json %s.", error);
    if (run.options.list) {
        print_list(&run);
        return 0;
    }
    if (run.options.fingerprint) {
        return fingerprint_print(&run);
    }

    fill_allocations();
    run.report = crash_shared(sizeof *run.report);
    run.note = crash_shared(sizeof *run.note);
    if (run.options.json)
        host_find(&host, run.options.emulated);
    if (!run.options.quiet)
        say_what_runs(&run);
    bool finished = crash_run(run.note, check_run, check_crashed, &run);

    size_t passed, failed, skipped;
    check_required(&run);
    if (finished)
        check_shares(&run);
    report_total(run.report, &passed, &failed, &skipped);
    if (!finished) {
        report_fail_run(run.report, "the run did not come to its end");
    } else if (passed + failed == 0 && skipped == 0 && run.options.shape.count > 0) {
        options_error("--shape %s: no shape of the chosen kernels begins with it; leave it out to "
                      "check them all.",
                      run.options.shape.item[0]);
    } else if (passed + failed == 0) {
        report_fail_run(run.report, "nothing was checked");
    }
    report_total(run.report, &passed, &failed, &skipped);
    if (!run.options.quiet)
        report_table(run.report, run.variants, run.variant_count);
    if (run.options.tap)
        report_tap(run.report, run.variants, run.variant_count);
    printf("%s%zu passed, %zu failed, %zu skipped\n", run.options.tap ? "# " : "", passed, failed,
           skipped);
    if (run.options.junit && !report_junit(run.report, run.variants, run.variant_count,
                                           run.options.junit, error, sizeof error))
        options_error("--junit %s.", error);
    const struct report_facts facts = {&host,  run.version, run.numerics, finished,
                                       passed, failed,      skipped};
    if (run.options.json && !report_json(&run, &facts, run.options.json, error, sizeof error))
        options_error("--json %s.", error);
    return failed > 0;
}
