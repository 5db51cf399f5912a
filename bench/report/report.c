/* report.c - a run as text: for the terminal, Markdown, CSV.
 * SPDX-License-Identifier: MIT
 */
#include "report.h"

#include "../../ref/case.h"
#include "../base/table.h"
#include "../base/text.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- Cells ----------------------------------------------------------------------------------- */

/* "1.46 [1.30, 1.56]", with a ? where the interval rests on too few launches: it has no end then,
 * or, of a run from before there were any, too few rounds. */
void text_speedup(const struct estimate *speedup, char *text, size_t bytes)
{
    char median[24], low[24], high[24];
    text_3(speedup->median, median, sizeof median);
    if (!isfinite(speedup->high)) {
        snprintf(text, bytes, "%s ?", median);
        return;
    }
    text_3(speedup->low, low, sizeof low);
    text_3(speedup->high, high, sizeof high);
    snprintf(text, bytes, "%s [%s, %s]%s", median, low, high,
             speedup->coverage < STATS_CONFIDENCE ? "?" : "");
}

/* The cells of a row, the same for every kind of table. */
struct cells {
    char time[64], rate[40], share[96], speedup[96], comparison[24], error[48];
    char launches[48], until[80], slower[64], work[64];
};

/* "slower than scalar, avx2": narrower instruction sets that beat the row's; "": none does. */
void text_slower(const struct row *row, char *text, size_t bytes)
{
    const struct column *than[MMK_ISA_COUNT];
    size_t count = analyse_slower(row, than);
    text[0] = '\0';
    for (size_t i = 0, used = 0; i < count && used < bytes; i++)
        used += (size_t)snprintf(text + used, bytes - used, "%s%s", i ? ", " : "slower than ",
                                 than[i]->variant);
}

/* "85.2 % FMA"; above the peak with its interval, for that is to be explained. */
static void text_share(const struct row *row, char *text, size_t bytes)
{
    const struct estimate *e = &row->share;
    int used = snprintf(text, bytes, "%.1f %% %s", 100.0 * e->median, peak_label(row->bound));
    if (row->over && isfinite(e->high))
        snprintf(text + used, bytes - (size_t)used, " OVER [%.0f, %.0f]%s", 100.0 * e->low,
                 100.0 * e->high, row->bug ? " BUG" : "");
    else if (row->over)
        snprintf(text + used, bytes - (size_t)used, " OVER ?");
}

/* "12 (87)", launches and the effective number of samples; of a run without launches its rounds. */
static void text_launches(const struct row *row, char *text, size_t bytes)
{
    if (row->seconds.launches > 0)
        snprintf(text, bytes, "%zu (%.0f)", row->seconds.launches, row->effective);
    else
        snprintf(text, bytes, "%zu rounds", row->seconds.n);
}

static void text_until(const struct row *row, double precision, char *text, size_t bytes)
{
    char seconds[40];
    int used = 0;
    switch (analyse_until(row, precision)) {
    case UNTIL_PRECISE:
        used = snprintf(text, bytes, "%g %%", precision);
        break;
    case UNTIL_NO_NARROWER:
        used = snprintf(text, bytes, "no narrower");
        break;
    case UNTIL_TIME:
        used = snprintf(text, bytes, "time");
        break;
    case UNTIL_UNKNOWN:
        used = snprintf(text, bytes, "-");
    }
    if (row->disturbed.n == 0)
        return;
    text_seconds(row->disturbed.median, seconds, sizeof seconds);
    snprintf(text + used, bytes - (size_t)used, "; disturbed %s", seconds);
}

/* "0.978", or "1" where every one of them was found. */
static void text_recall(const struct column *column, char *text, size_t bytes)
{
    if (column->recall < 1.0)
        snprintf(text, bytes, "%.4f", fmin(column->recall, 0.9999));
    else
        snprintf(text, bytes, "1");
}

/* "113 of 100000 (codes)": of how many pairs a query a search made the scores, and what ruled out
 * the others; "": it is not known. */
static void text_work(const struct row *row, char *text, size_t bytes)
{
    const struct mmk_search_work *w = &row->column->work;
    const struct {
        uint64_t pairs;
        const char *path;
    } paths[] = {{w->ruled_out_by_prefix, "prefix"},
                 {w->ruled_out_by_codes, "codes"},
                 {w->ruled_out_by_sums, "sums"}};
    uint64_t all = w->scored;
    double queries = (double)row->result->m;
    for (int p = 0; p < 3; p++)
        all += paths[p].pairs;
    text[0] = '\0';
    if (all == 0)
        return;
    char scored[24];
    double each = (double)w->scored / queries;
    if (each < 100.0)
        text_3(each, scored, sizeof scored);
    else
        snprintf(scored, sizeof scored, "%.0f", each);
    int used = snprintf(text, bytes, "%s of %.0f (", scored, (double)all / queries);
    const char *join = "";
    for (int p = 0; p < 3; p++)
        if (paths[p].pairs > 0) {
            used += snprintf(text + used, bytes - (size_t)used, "%s%s", join, paths[p].path);
            join = ", ";
        }
    snprintf(text + used, bytes - (size_t)used, "%s)", join[0] ? "" : "all products");
}

static void fill_cells(const struct row *row, double precision, struct cells *cells)
{
    const struct column *column = row->column;
    memset(cells, 0, sizeof *cells);
    char number[24], seconds[40];
    text_seconds(row->seconds.median, seconds, sizeof seconds);
    if (isfinite(row->seconds.high))
        snprintf(cells->time, sizeof cells->time, "%s +-%.1f%%%s", seconds,
                 stats_spread(&row->seconds), row->seconds.coverage < STATS_CONFIDENCE ? "?" : "");
    else
        snprintf(cells->time, sizeof cells->time, "%s +-?", seconds);
    text_launches(row, cells->launches, sizeof cells->launches);
    text_until(row, precision, cells->until, sizeof cells->until);
    text_slower(row, cells->slower, sizeof cells->slower);
    text_3(row->rate / 1e9, number, sizeof number);
    snprintf(cells->rate, sizeof cells->rate, "%s %s", number, row->by_bytes ? "GB/s" : "GFLOP/s");
    if (row->bounded)
        text_share(row, cells->share, sizeof cells->share);
    else
        snprintf(cells->share, sizeof cells->share, "-");
    if (row->speedup.n > 0) {
        text_speedup(&row->speedup, cells->speedup, sizeof cells->speedup);
        snprintf(cells->comparison, sizeof cells->comparison, "%s",
                 stats_comparison_name(row->comparison));
    } else {
        snprintf(cells->speedup, sizeof cells->speedup, "-");
        snprintf(cells->comparison, sizeof cells->comparison, "-");
    }
    text_work(row, cells->work, sizeof cells->work);
    text_recall(column, number, sizeof number);
    if (column->approximate)
        snprintf(cells->error, sizeof cells->error, "recall %s", number);
    else if (strcmp(column->variant, "ref") == 0)
        snprintf(cells->error, sizeof cells->error, "-");
    else if (column->worst_abs == 0.0)
        snprintf(cells->error, sizeof cells->error, "exact");
    else
        snprintf(cells->error, sizeof cells->error, "%.1e (%.2g)", column->worst_abs,
                 column->worst_share);
}

static void text_rows(const struct column *column, char *text, size_t bytes)
{
    if (column->checked && column->checked_rows > 0)
        snprintf(text, bytes, ", %zu rows", column->checked_rows);
    else
        text[0] = '\0';
}

/* What the figures of a run rest on. */
static const char *about_launches(const struct run *run)
{
    return run->launches > 0
               ? "intervals over launches, of rounds in which the core was ours alone; with "
                 "several "
                 "threads that is not known, and all rounds count"
               : "from before there were launches: intervals over rounds as if these were "
                 "independent, too narrow";
}

/* ---- Terminal -------------------------------------------------------------------------------- */

static void print_machine(FILE *out, const struct run *run)
{
    const struct machine *m = &run->machine;
    char l1[32], l2[32], l3[32], library[64];
    machine_text_library(m, library, sizeof library);
    snprintf(l1, sizeof l1, "%zu KB", m->l1d >> 10);
    snprintf(l2, sizeof l2, "%zu KB", m->l2 >> 10);
    snprintf(l3, sizeof l3, "%zu MB", m->l3 >> 20);
    fprintf(out, "machine   %s, %d CPUs, %s, hypervisor %s\n", m->cpu, m->cpus, m->architecture,
            m->hypervisor);
    fprintf(out, "caches    L1d %s, L2 %s, L3 %s%s\n", l1, l2, l3,
            m->caches_known ? "" : " (assumed: the system does not tell all of them)");
    fprintf(out, "system    %s, governor %s, hardware counters %s\n", m->system, m->governor,
            m->counters);
    fprintf(out, "build     %s, flags %s\n", m->compiler, m->flags);
    fprintf(out, "mmk       %s, commit %s, %s, seed %llu\n", library, m->commit, m->date,
            (unsigned long long)run->seed);
}

static bool any_with_threads(const struct run *run, int threads)
{
    for (size_t i = 0; i < run->result_count; i++)
        if (run->results[i].threads == threads && run->results[i].rounds > 0)
            return true;
    return false;
}

static void print_peaks(FILE *out, const struct run *run)
{
    for (int threads = 1; threads <= 1024; threads++) {
        if (!any_with_threads(run, threads))
            continue;
        fprintf(out, "peaks     %d thread%s:", threads, threads == 1 ? "" : "s");
        const char *join = " ";
        for (int p = 0; p < PEAK_COUNT; p++) {
            struct estimate e = analyse_peak(run, (enum peak)p, threads);
            if (e.n == 0)
                continue;
            char number[24];
            text_3(e.median / 1e9, number, sizeof number);
            fprintf(out, "%s%s %s %s", join, peak_name((enum peak)p), number,
                    peak_unit((enum peak)p));
            join = ", ";
        }
        fprintf(out, "\n");
    }
    fprintf(out, "          (clock: estimated from a chain of dependent additions)\n");
    if (run->best.clock > 0.0)
        fprintf(out, "          times and peaks of one thread are at %.1f GHz, but for memory\n",
                run->best.clock * 1e-9);
}

enum { PEERS_LISTED = 64 };

static bool same_peer(const struct column *a, const struct column *b)
{
    return strcmp(a->variant, b->variant) == 0 && strcmp(a->library, b->library) == 0;
}

enum { PEER_NAME = 72 };

/* What each peer of a run was, once for each way in which it does its kernels. Returns how many. */
static size_t list_peers(const struct run *run, const struct column **peers)
{
    size_t count = 0;
    for (size_t i = 0; i < run->result_count; i++)
        for (size_t c = 0; c < run->results[i].column_count; c++) {
            const struct column *column = &run->results[i].columns[c];
            size_t p = 0;
            while (p < count && !same_peer(peers[p], column))
                p++;
            if (column->library[0] && p == count && count < PEERS_LISTED)
                peers[count++] = column;
        }
    return count;
}

/* Whether the peer does the kernel of result i in that way. */
static bool peer_does(const struct run *run, size_t i, const struct column *peer)
{
    const struct column *column = result_find_column(&run->results[i], peer->variant);
    return column && same_peer(column, peer);
}

static void print_peer_kernels(FILE *out, const struct run *run, const struct column *peer)
{
    const char *join = " (";
    for (size_t i = 0; i < run->result_count; i++) {
        bool first = peer_does(run, i, peer);
        for (size_t before = 0; before < i && first; before++)
            first = !peer_does(run, before, peer) ||
                    strcmp(run->results[before].kernel, run->results[i].kernel) != 0;
        if (!first)
            continue;
        fprintf(out, "%s%s", join, run->results[i].kernel);
        join = ", ";
    }
    fprintf(out, ")");
}

static void print_peers(FILE *out, const struct run *run)
{
    const struct column *peers[PEERS_LISTED];
    size_t count = list_peers(run, peers);
    for (size_t p = 0; p < count; p++) {
        fprintf(out, "%-9s %s: %s", p ? "" : "peers", peers[p]->variant, peers[p]->library);
        print_peer_kernels(out, run, peers[p]);
        fprintf(out, "\n");
    }
}

/* ", at recall 0.978"; "": it finds all. */
static void text_at_recall(const struct column *peer, char *text, size_t bytes)
{
    char recall[24];
    text_recall(peer, recall, sizeof recall);
    text[0] = '\0';
    if (peer->approximate)
        snprintf(text, bytes, ", at recall %s", recall);
}

/* One line: how much faster the widest instruction set is than the best peer that finds all
 * results, then than each. */
static void print_versus(FILE *out, const struct result *result)
{
    struct row widest;
    struct versus all[VERSUS_MOST];
    size_t best, count = analyse_peers(result, &widest, all, &best);
    char text[96], name[PEER_NAME], recall[40];
    if (count == 0)
        return;
    fprintf(out, "  %s", widest.column->variant);
    const char *join = "";
    if (best < count) {
        text_speedup(&all[best].speedup, text, sizeof text);
        analysis_name_peer(all[best].peer, name, sizeof name);
        fprintf(out, " over the best peer, %s: %s %s", name, text,
                stats_comparison_name(all[best].comparison));
        join = ";";
    }
    for (size_t v = 0; v < count; v++) {
        if (v == best)
            continue;
        text_speedup(&all[v].speedup, text, sizeof text);
        analysis_name_peer(all[v].peer, name, sizeof name);
        text_at_recall(all[v].peer, recall, sizeof recall);
        fprintf(out, "%s over %s%s: %s", join, name, recall, text);
        join = ";";
    }
    fprintf(out, "\n");
}

static void print_case(FILE *out, const struct result *result, double precision)
{
    char work[64], bytes[40], set[40];
    text_bytes(result->bytes, bytes, sizeof bytes);
    if (result->flops > 0.0)
        snprintf(work, sizeof work, "%.3g Gflop, %s", result->flops / 1e9, bytes);
    else
        snprintf(work, sizeof work, "%s", bytes);
    fprintf(out, "\n%s  %s  %s  %d thread%s   %s", result->kernel, result->shape, result->data,
            result->threads, result->threads == 1 ? "" : "s", work);
    if (result->working_set > 0.0) { /* else its data were never laid out */
        text_bytes(result->working_set, set, sizeof set);
        fprintf(out, ", working set %s in %s", set, peak_label(result->level));
    }
    fprintf(out, ", %zu rounds", result->rounds);
    if (result->launch)
        fprintf(out, " of %zu launches", analyse_launches(result));
    if (result->mood)
        fprintf(out, ", %zu quiet", analyse_quiet(result));
    fprintf(out, "\n");
    if (result->note[0])
        fprintf(out, "  %s\n", result->note);
    fprintf(out, "  %-15s %-18s %-15s %-15s %-22s %-12s %-26s %-10s %s\n", "variant",
            "time per call", "rate", "% of peak", "over autovec", "verdict",
            "worst error (of bound)", "launches", "until");
    for (size_t c = 0; c < result->column_count; c++) {
        struct row row;
        const struct column *column = &result->columns[c];
        analyse(result, column, &row);
        if (!row.timed) {
            fprintf(out, "  %-15s %s\n", column->variant, row.why);
            continue;
        }
        struct cells cells;
        char rows[48];
        fill_cells(&row, precision, &cells);
        text_rows(column, rows, sizeof rows);
        strncat(cells.error, rows, sizeof cells.error - strlen(cells.error) - 1);
        fprintf(out, "  %-15s %-18s %-15s %-15s %-22s %-12s %-26s %-10s %s", column->variant,
                cells.time, cells.rate, cells.share, cells.speedup, cells.comparison, cells.error,
                cells.launches, cells.until);
        if (column->ipc > 0.0)
            fprintf(out, "  IPC %.2f", column->ipc);
        if (cells.work[0])
            fprintf(out, "  scored a query %s", cells.work);
        fprintf(out, "%s%s\n", cells.slower[0] ? "  " : "", cells.slower);
    }
    print_versus(out, result);
}

void report_terminal(FILE *out, const struct run *run)
{
    const struct result **list = analyse_order(run);
    print_machine(out, run);
    print_peers(out, run);
    print_peaks(out, run);
    fprintf(out, "run       %s\n", about_launches(run));
    for (size_t i = 0; i < run->result_count; i++)
        print_case(out, list[i], run->precision);
    fprintf(out, "\n");
    for (size_t i = 0; i < run->missing_count; i++)
        fprintf(out, "missing: %s\n", run->missing[i]);
    free(list);
}

void report_summary(FILE *out, const struct run *run)
{
    struct tally t = analyse_tally(run);
    fprintf(out, "%zu cases, %zu rows: %zu timed, %zu not timed", t.cases, t.rows, t.timed,
            t.not_timed);
    if (t.no_time > 0)
        fprintf(out, " (for %zu no time was left)", t.no_time);
    fprintf(out, ", %zu void, %zu disturbed, %zu failed their check, %zu over 100 %%", t.voided,
            t.disturbed, t.failed, t.over);
    if (t.over > 0)
        fprintf(out, " (the greatest %.0f %% of %s, %s %s %s)", 100.0 * t.greatest.share.median,
                peak_label(t.greatest.bound), t.greatest.column->variant, t.greatest.result->kernel,
                t.greatest.result->shape);
    fprintf(out, ", %zu slower than a narrower ISA; %zu missing; ", t.slower, run->missing_count);
    if (run->launches > 0)
        fprintf(out, "%zu launches; ", run->launches);
    fprintf(out, "%.0f s\n", run->seconds);
}

/* ---- CSV ------------------------------------------------------------------------------------- */

static void csv_text(FILE *out, const char *text)
{
    fputc('"', out);
    for (; *text; text++) {
        if (*text == '"')
            fputc('"', out);
        fputc(*text, out);
    }
    fputc('"', out);
}

static void csv_number(FILE *out, double value)
{
    if (!isfinite(value))
        fputc(',', out);
    else
        fprintf(out, ",%.6g", value);
}

void report_csv(FILE *out, const struct run *run)
{
    static const char *const until_names[] = {"time", "precision", "no narrower", ""};
    fprintf(out,
            "kernel,shape,data,threads,variant,status,rounds,launches,effective_samples,until,"
            "calls_per_sample,seconds,seconds_low,seconds_high,disturbed_seconds,clock_hz,"
            "flops,bytes,flop_per_s,byte_per_s,bound,share_of_peak,share_low,"
            "share_high,baseline,speedup,speedup_low,speedup_high,verdict,slower_than,"
            "worst_abs_error,worst_error_of_bound,recall,pairs_scored,pairs_ruled_out_by_prefix,"
            "pairs_ruled_out_by_codes,pairs_ruled_out_by_sums,library,cpu,commit,date\n");
    const struct result **list = analyse_order(run);
    for (size_t i = 0; i < run->result_count; i++) {
        for (size_t c = 0; c < list[i]->column_count; c++) {
            struct row row;
            const struct column *column = &list[i]->columns[c];
            analyse(list[i], column, &row);
            fprintf(out, "%s,", list[i]->kernel);
            csv_text(out, list[i]->shape);
            fputc(',', out);
            csv_text(out, list[i]->data);
            fprintf(out, ",%d,%s,", list[i]->threads, column->variant);
            csv_text(out, row.timed ? "timed" : row.why);
            const double none = NAN;
            fprintf(out, ",%zu,%zu,%.3g,%s,%zu", row.timed ? row.seconds.n : 0,
                    row.seconds.launches, row.effective,
                    until_names[analyse_until(&row, run->precision)], column->calls);
            csv_number(out, row.timed ? row.seconds.median : none);
            csv_number(out, row.timed ? row.seconds.low : none);
            csv_number(out, row.timed ? row.seconds.high : none);
            csv_number(out, row.disturbed.n > 0 ? row.disturbed.median : none);
            csv_number(out, list[i]->clock > 0.0 ? list[i]->clock : none);
            csv_number(out, list[i]->flops);
            csv_number(out, list[i]->bytes);
            csv_number(out, row.timed ? list[i]->flops / row.seconds.median : none);
            csv_number(out, row.timed ? list[i]->bytes / row.seconds.median : none);
            fprintf(out, ",%s", row.bounded ? peak_name(row.bound) : "");
            csv_number(out, row.bounded ? row.share.median : none);
            csv_number(out, row.bounded && isfinite(row.share.high) ? row.share.low : none);
            csv_number(out, row.bounded ? row.share.high : none);
            fprintf(out, ",%s", row.speedup.n > 0 ? column->baseline : "");
            csv_number(out, row.speedup.n > 0 ? row.speedup.median : none);
            csv_number(out,
                       row.speedup.n > 0 && isfinite(row.speedup.high) ? row.speedup.low : none);
            csv_number(out, row.speedup.n > 0 ? row.speedup.high : none);
            fprintf(out, ",%s,", row.speedup.n > 0 ? stats_comparison_name(row.comparison) : "");
            const struct column *than[MMK_ISA_COUNT];
            size_t slower = analyse_slower(&row, than);
            for (size_t s = 0; s < slower; s++)
                fprintf(out, "%s%s", s ? " " : "", than[s]->variant);
            csv_number(out, column->checked && !column->approximate ? column->worst_abs : none);
            csv_number(out, column->checked && !column->approximate ? column->worst_share : none);
            csv_number(out, column->recalled > 0 ? column->recall : none);
            fprintf(out, ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64, column->work.scored,
                    column->work.ruled_out_by_prefix, column->work.ruled_out_by_codes,
                    column->work.ruled_out_by_sums);
            fputc(',', out);
            csv_text(out, column->library);
            fputc(',', out);
            csv_text(out, run->machine.cpu);
            fprintf(out, ",%s,%s\n", run->machine.commit, run->machine.date);
        }
    }
    free(list);
}

/* ---- Markdown -------------------------------------------------------------------------------- */

static void markdown_peaks(FILE *out, const struct run *run)
{
    fprintf(out, "| peaks, in the same rounds |");
    for (int p = 0; p < PEAK_COUNT; p++)
        if (analyse_peak(run, (enum peak)p, 1).n || any_with_threads(run, 1) == false)
            fprintf(out, " %s, %s |", peak_name((enum peak)p), peak_unit((enum peak)p));
    fprintf(out, "\n|---|");
    for (int p = 0; p < PEAK_COUNT; p++)
        if (analyse_peak(run, (enum peak)p, 1).n || any_with_threads(run, 1) == false)
            fprintf(out, "---:|");
    fprintf(out, "\n");
    for (int threads = 1; threads <= 1024; threads++) {
        if (!any_with_threads(run, threads))
            continue;
        fprintf(out, "| %d thread%s |", threads, threads == 1 ? "" : "s");
        for (int p = 0; p < PEAK_COUNT; p++) {
            struct estimate e = analyse_peak(run, (enum peak)p, threads);
            char number[24];
            text_3(e.median / 1e9, number, sizeof number);
            if (e.n > 0)
                fprintf(out, " %s |", number);
            else if (analyse_peak(run, (enum peak)p, 1).n || any_with_threads(run, 1) == false)
                fprintf(out, " - |");
        }
        fprintf(out, "\n");
    }
    if (run->best.clock > 0.0)
        fprintf(out, "\nTimes and peaks of one thread are stated at %.1f GHz, but for memory.\n",
                run->best.clock * 1e-9);
    fprintf(out, "\n");
}

static void markdown_row(FILE *out, const struct result *result, const struct column *column,
                         double precision)
{
    struct row row;
    analyse(result, column, &row);
    const char *bold = analysis_is_hand_written(column) ? "**" : "";
    fprintf(out, "| %s | %s | %d | %s%s%s |", result->shape, result->data, result->threads, bold,
            column->variant, bold);
    if (!row.timed) {
        fprintf(out, " %s | - | - | - | - | - | - | - |\n", row.why);
        return;
    }
    struct cells cells;
    char rows[48];
    fill_cells(&row, precision, &cells);
    text_rows(column, rows, sizeof rows);
    char *sign = strstr(cells.time, "+-");
    fprintf(out, " %.*s±%s | %s | %s%s%s | %s | %s%s%s | %s%s | %s | %s |\n",
            (int)(sign - cells.time), cells.time, sign + 2, cells.rate, bold, cells.share, bold,
            cells.speedup, cells.comparison, cells.slower[0] ? "; " : "", cells.slower, cells.error,
            rows, cells.launches, cells.until);
}

void report_markdown_legend(FILE *out, int level)
{
    table_heading(out, level, "How to read this");
    fprintf(
        out,
        "- A case is one kernel at one shape with one kind of data. All variants of a case ran "
        "interleaved,\n  once a round, in random order; the machine's peaks ran in the same "
        "rounds. Speed-ups and percentages are\n  made of ratios paired round by round, so that "
        "a drift of the machine drops out.\n"
        "- **launches**: rounds of one process agree with each other better than with those of "
        "the next, whose pages and stack lie\n  elsewhere. So the program was launched anew many "
        "times, each time with memory mapped anew, and visited all cases each\n  time. A launch "
        "gives one figure, the median of its rounds; a row says the centre of these (Hodges and "
        "Lehmann) and its\n  95 %% interval by signed ranks, wider where successive launches are "
        "alike. In brackets, as how many independent\n  samples all of its samples count. Where "
        "the column says \"rounds\", the run is from before there were launches: its\n  intervals "
        "take rounds for independent, and are too narrow.\n"
        "- **until**: what ended a row's launches: half of the interval of time and speed-up came "
        "to the percentage asked for\n  (--precision), or twice the launches made it `no "
        "narrower`, or the `time` was over.\n"
        "- **disturbed**: a neighbour on the other hardware thread of the core takes part of it, "
        "and nothing tells a virtual\n  machine. In every round of one thread four loops are "
        "timed whose rates in clocks are known (issue, multiply-add, reads\n  of L1, the clock); "
        "a round in which one fell short is disturbed. Figures are those of quiet rounds; the "
        "disturbed time,\n  as it was measured, stands beside them where there was any. A row "
        "without a quiet round "
        "claims nothing. With several threads moods are not\n  known, and all rounds count.\n"
        "- **variant**: `ref` is the oracle (plain C, double), `scalar` the library's portable "
        "version, `autovec-*` the\n  same scalar source as the compiler vectorises it with that "
        "instruction set's flags, `avx2`, `avx512`, `neon`\n  the hand-written ones.\n"
        "- **time** of one call, ± half the width of its 95 %% interval. Clocks move by some "
        "percent "
        "from minute to minute: a\n  time, a rate and a peak are stated at the clock that the head "
        "names: the measured time by the clock of its round\n  over that one. With several "
        "threads, in memory, and where the head names none, they are as they were measured. A `?` "
        "means fewer than 6 "
        "launches, of which no interval\n  can be made.\n"
        "- **rate**: GFLOP/s after the kernel's flop model, whatever is recomputed; GB/s of the "
        "bytes that must move for kernels\n  that do nothing but compare.\n"
        "- **%% of peak**: how much of the limit that binds this case is reached: the FMA rate of "
        "the variant's own instruction\n  set (without FMA, `scalar` on x86-64, the rate of "
        "multiplications with additions in vectors of four), or the read\n  bandwidth of the level "
        "that the working set lives in (named behind the number), whichever takes longer. Over "
        "100 %%\n  is marked OVER, with its interval; if that lies above 100 %% of a peak of the "
        "core's own it would be a bug, and is marked BUG;\n  but a search rules out "
        "products without making them, and its rate counts all, and products of int8 are not made "
        "of FMAs. L3 and memory are "
        "shared with others on the\n  host, and part of what lies in memory may still be in L3.\n"
        "- **over autovec**: how many times as fast as the compiler's version for the same "
        "instruction set (`ref` and\n  `scalar`: the widest one), with its 95 %% interval; "
        "**verdict** is inconclusive where the 99 %% interval includes 1, which of equals it does "
        "in 99 of "
        "100,\n  and with fewer than 8 launches. `slower than avx2` behind it, judged as surely: a "
        "narrower version by hand\n  (`scalar` counts as one) takes less time in the same "
        "rounds.\n");
    fprintf(
        out,
        "- **peers**: `openblas` and `onednn` are what a C user would make of the library's matrix "
        "product: a matrix of\n  similarities, a search with our top-k after each block of scores, "
        "and InfoNCE with a softmax between the products in\n  plain C that the compiler "
        "vectorises; where the library has the function itself (sdot,\n  "
        "sgemv), "
        "that. `simsimd` is called in line for each pair of rows, `faiss` is its flat index and "
        "its "
        "collectors of the\n  best of a row, `usearch` its exact search. A gallery is put into an "
        "index once, outside the call. `pytorch` is CLIP's\n  loss in PyTorch, in a process of its "
        "own, stock and tuned; it is not timed for the log-sum-exps,\n  "
        "which "
        "that "
        "loss does not hand out. What each does for which kernel stands at the head. Peers pass "
        "the "
        "same check in\n  the same rounds, with an allowance for the order of their sums and of "
        "equal scores, and for what they lose where the\n  softmax is near 1. "
        "**over the best peer**: the widest instruction set, paired as "
        "**over "
        "autovec** is. Those that promise no exact results, as `faiss-sq8` and `usearch-i8`, have "
        "no "
        "check, are never the best peer,\n  and their speed stands with their recall.\n"
        "- **recall**: the share of the true first k that a search found, over all queries. "
        "**scored a query**: the pairs whose\n  scores were made, of all, and what ruled out the "
        "others: codes of the whole rows, codes of a prefix in a few directions,\n  or sums in "
        "another order.\n"
        "- **worst error**: the greatest |result - oracle| of the check at exactly this shape, and "
        "in brackets its share of the\n  derived bound (1 is the limit). `48 rows`: in large "
        "cases the oracle judged that many rows, spread over all.\n  No variant is timed that "
        "did not pass.\n"
        "- **not timed** rows would take too long; **void** rows were disturbed too often by "
        "context switches, migrations or\n  the hypervisor. Neither is left out silently.\n"
        "- The clock is estimated from a chain of dependent additions (one cycle each).\n\n");
}

/* The row of a hand-written variant; false: it was not timed. */
static bool find_timed(const struct result *result, const char *isa, struct row *row)
{
    const struct column *column = result_find_column(result, isa);
    if (!column)
        return false;
    analyse(result, column, row);
    return row->timed;
}

static void summary_share(FILE *out, const struct result *result, const char *isa)
{
    struct row row;
    if (find_timed(result, isa, &row) && row.bounded)
        fprintf(out, " %.0f %% |", 100.0 * row.share.median);
    else
        fprintf(out, " - |");
}

/* One line a case of one thread: the widest instruction set, and how far each gets. */
static void markdown_summary(FILE *out, const struct result *const *list, size_t count, int level)
{
    enum { ISAS = MMK_ISA_COUNT - 1 }; /* all but scalar, the widest first */
    const char *isas[ISAS];
    bool used[ISAS] = {false};
    size_t columns = 0;
    struct row row;
    for (size_t s = 0; s < ISAS; s++) {
        isas[s] = mmk_isa_name((enum mmk_isa)(ISAS - s));
        for (size_t i = 0; i < count; i++)
            used[s] = used[s] || (list[i]->threads == 1 && find_timed(list[i], isas[s], &row));
        columns += used[s];
    }
    if (columns == 0)
        return;
    table_heading(out, level, "Summary: the widest instruction set, one thread");
    fprintf(out, "| kernel | shape | data | variant | time | rate | over autovec | bound by |");
    for (size_t s = 0; s < ISAS; s++)
        if (used[s])
            fprintf(out, " %s, of peak |", isas[s]);
    fprintf(out, "\n|---|---|---|---|---:|---:|---:|---|");
    for (size_t s = 0; s < columns; s++)
        fprintf(out, "---:|");
    fprintf(out, "\n");
    for (size_t i = 0; i < count; i++) {
        size_t widest = 0;
        while (widest < ISAS && !find_timed(list[i], isas[widest], &row))
            widest++;
        if (list[i]->threads != 1 || widest == ISAS)
            continue;
        struct cells cells;
        char time[40];
        fill_cells(&row, 0.0, &cells);
        text_seconds(row.seconds.median, time, sizeof time);
        fprintf(out, "| %s | %s | %s | %s%s%s | %s | %s | %s | %s |", list[i]->kernel,
                list[i]->shape, list[i]->data, isas[widest], cells.slower[0] ? ", " : "",
                cells.slower, time, cells.rate, cells.speedup,
                row.bounded ? peak_label(row.bound) : "-");
        for (size_t s = 0; s < ISAS; s++)
            if (used[s])
                summary_share(out, list[i], isas[s]);
        fprintf(out, "\n");
    }
    fprintf(out, "\n");
}

/* With an extension left out, too: avx512:base. */
static bool is_by_hand(const struct column *column)
{
    size_t length = strlen(column->isa);
    return analysis_is_hand_written(column) ||
           (length > 0 && strncmp(column->variant, column->isa, length) == 0 &&
            column->variant[length] == ':');
}

/* Searches by what one asks of them: how many queries a second, and what is sure to be found. */
static void markdown_searches(FILE *out, const struct result *const *list, size_t count, int level)
{
    bool any = false;
    for (size_t i = 0; i < count; i++) {
        const struct kernel *kernel = kernel_find(list[i]->kernel);
        bool searches = kernel && (kernel->ranks_gallery || kernel->skips_products);
        for (size_t c = 0; searches && c < list[i]->column_count; c++) {
            const struct column *column = &list[i]->columns[c];
            bool peer = column->library[0];
            char name[PEER_NAME], recall[24], rate[24], work[64];
            struct row row;
            analyse(list[i], column, &row);
            if (!row.timed || !(peer || is_by_hand(column)))
                continue;
            if (!any) {
                table_heading(out, level, "Searches");
                fprintf(out, "| kernel | shape | data | threads | who | queries a second | recall "
                             "| guarantee | scored a query |\n"
                             "|---|---|---|---:|---|---:|---:|---|---:|\n");
            }
            any = true;
            analysis_name_peer(column, name, sizeof name);
            snprintf(recall, sizeof recall, peer ? "-" : "1"); /* of old runs it is not known */
            if (column->recalled > 0)
                text_recall(column, recall, sizeof recall);
            text_3((double)list[i]->m / row.seconds.median, rate, sizeof rate);
            text_work(&row, work, sizeof work);
            fprintf(out, "| %s | %s | %s | %d | %s | %s | %s | %s | %s |\n", list[i]->kernel,
                    list[i]->shape, list[i]->data, list[i]->threads, name, rate, recall,
                    !peer                 ? "exact, the same bits everywhere"
                    : column->approximate ? "none"
                                          : "exact, to the rounding of its sums",
                    work[0] ? work : "-");
        }
    }
    if (any)
        fprintf(out, "\n");
}

/* The names of a run's peers, each once, whatever it does for a kernel. Returns how many. */
static size_t name_peers(const struct run *run, char names[VERSUS_MOST][PEER_NAME])
{
    const struct column *peers[PEERS_LISTED];
    size_t listed = list_peers(run, peers), count = 0;
    for (size_t p = 0; p < listed && count < VERSUS_MOST; p++) {
        size_t before = 0;
        analysis_name_peer(peers[p], names[count], PEER_NAME);
        while (strcmp(names[before], names[count]) != 0)
            before++;
        count += before == count;
    }
    return count;
}

/* One line a case that has peers: the widest instruction set against the best of them, and each. */
static void markdown_peers(FILE *out, const struct run *run, const struct result *const *list,
                           int level)
{
    char peers[VERSUS_MOST][PEER_NAME], name[PEER_NAME];
    size_t peer_count = name_peers(run, peers);
    if (peer_count == 0)
        return;
    table_heading(out, level, "Against other libraries");
    fprintf(out,
            "| kernel | shape | data | threads | variant | time | best peer | over the best peer "
            "| verdict |");
    for (size_t p = 0; p < peer_count; p++)
        fprintf(out, " over %s |", peers[p]);
    fprintf(out, "\n|---|---|---|---:|---|---:|---|---:|---|");
    for (size_t p = 0; p < peer_count; p++)
        fprintf(out, "---:|");
    fprintf(out, "\n");
    for (size_t i = 0; i < run->result_count; i++) {
        struct row widest;
        struct versus all[VERSUS_MOST];
        size_t best, count = analyse_peers(list[i], &widest, all, &best);
        char time[40], over[96];
        if (count == 0)
            continue;
        text_seconds(widest.seconds.median, time, sizeof time);
        fprintf(out, "| %s | %s | %s | %d | %s | %s |", list[i]->kernel, list[i]->shape,
                list[i]->data, list[i]->threads, widest.column->variant, time);
        if (best < count) {
            text_speedup(&all[best].speedup, over, sizeof over);
            analysis_name_peer(all[best].peer, name, sizeof name);
            fprintf(out, " %s | %s | %s |", name, over,
                    stats_comparison_name(all[best].comparison));
        } else {
            fprintf(out, " - | - | - |");
        }
        for (size_t p = 0; p < peer_count; p++) {
            char recall[40] = "";
            snprintf(over, sizeof over, "-");
            for (size_t v = 0; v < count; v++) {
                analysis_name_peer(all[v].peer, name, sizeof name);
                if (strcmp(name, peers[p]) != 0)
                    continue;
                text_3(all[v].speedup.median, over, sizeof over);
                text_at_recall(all[v].peer, recall, sizeof recall);
            }
            fprintf(out, " %s%s |", over, recall);
        }
        fprintf(out, "\n");
    }
    fprintf(out, "\n");
}

static size_t greatest_rounds(const struct run *run, size_t *fewest)
{
    size_t most = 0;
    *fewest = (size_t)-1;
    for (size_t i = 0; i < run->result_count; i++) {
        size_t rounds = run->results[i].rounds;
        most = rounds > most ? rounds : most;
        *fewest = rounds && rounds < *fewest ? rounds : *fewest;
    }
    if (most == 0)
        *fewest = 0;
    return most;
}

void report_markdown(FILE *out, const struct run *run, int level)
{
    const struct machine *m = &run->machine;
    char title[160], library[64];
    machine_text_library(m, library, sizeof library);
    size_t fewest, most = greatest_rounds(run, &fewest);
    machine_text_day(m, title, sizeof title);
    table_heading(out, level, title);
    fprintf(out, "| | |\n|---|---|\n");
    fprintf(out, "| machine | %s, %s, %d CPUs, hypervisor %s |\n", m->cpu, m->architecture, m->cpus,
            m->hypervisor);
    fprintf(out, "| caches | L1d %zu KB, L2 %zu KB, L3 %zu MB%s |\n", m->l1d >> 10, m->l2 >> 10,
            m->l3 >> 20, m->caches_known ? "" : " (assumed)");
    fprintf(out, "| may use | %s |\n", m->extensions[0] ? m->extensions : "unknown");
    fprintf(out, "| system | %s, governor %s, hardware counters %s |\n", m->system, m->governor,
            m->counters);
    fprintf(out, "| build | %s; `%s` |\n", m->compiler, m->flags);
    fprintf(out, "| mmk | %s, commit %s |\n", library, m->commit);
    const struct column *peers[PEERS_LISTED];
    size_t peer_count = list_peers(run, peers);
    for (size_t p = 0; p < peer_count; p++) {
        fprintf(out, "| peer %s | %s", peers[p]->variant, peers[p]->library);
        print_peer_kernels(out, run, peers[p]);
        fprintf(out, " |\n");
    }
    fprintf(out, "| run | %s, %zu launches, %zu to %zu rounds a case, seed %llu, %.0f s |\n",
            m->date, run->launches, fewest, most, (unsigned long long)run->seed, run->seconds);
    fprintf(out, "| figures | %s |\n\n", about_launches(run));
    markdown_peaks(out, run);
    const struct result **list = analyse_order(run);
    markdown_summary(out, list, run->result_count, level + 1);
    markdown_peers(out, run, list, level + 1);
    markdown_searches(out, list, run->result_count, level + 1);
    const char *kernel = "";
    for (size_t i = 0; i < run->result_count; i++) {
        if (strcmp(kernel, list[i]->kernel) != 0) {
            kernel = list[i]->kernel;
            if (i > 0)
                fprintf(out, "\n");
            table_heading(out, level + 1, kernel);
            fprintf(out,
                    "| shape | data | threads | variant | time | rate | %% of peak | over autovec "
                    "| verdict | worst error | launches | until |\n");
            fprintf(out, "|---|---|---:|---|---:|---:|---:|---:|---|---:|---:|---|\n");
        }
        for (size_t c = 0; c < list[i]->column_count; c++)
            markdown_row(out, list[i], &list[i]->columns[c], run->precision);
        if (list[i]->note[0])
            fprintf(out, "| %s | %s | %d | %s | - | - | - | - | - | - | - | - |\n", list[i]->shape,
                    list[i]->data, list[i]->threads, list[i]->note);
    }
    fprintf(out, "\n");
    for (size_t i = 0; i < run->missing_count; i++)
        fprintf(out, "Missing: %s\n", run->missing[i]);
    if (run->missing_count > 0)
        fprintf(out, "\n");
    report_summary(out, run);
    fprintf(out, "\n");
    free(list);
}
