/* study.c - what the studies share: verdicts, where the time went.
 * SPDX-License-Identifier: MIT
 */
#include "study.h"

#include "../base/console.h"
#include "../base/table.h"
#include "product.h"

#include <stdarg.h>
#include <stdio.h>

static void verdict_add(struct verdicts *v, double reached, const char *relation, double bound,
                        bool pass, const char *format, va_list list)
{
    if (v->count == MOST_VERDICTS)
        refuse("there are more than %d targets", MOST_VERDICTS);
    size_t at = v->count++;
    vsnprintf(v->list[at].what, sizeof v->list[at].what, format, list);
    snprintf(v->list[at].needed, sizeof v->list[at].needed, "%s %.2f", relation, bound);
    v->list[at].reached = reached;
    v->list[at].pass = pass;
}

void verdict_least(struct verdicts *v, double reached, double least, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    verdict_add(v, reached, ">=", least, reached >= least, format, list);
    va_end(list);
}

void verdict_most(struct verdicts *v, double reached, double most, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    verdict_add(v, reached, "<=", most, reached <= most, format, list);
    va_end(list);
}

int verdicts_print(const struct verdicts *v)
{
    struct table table;
    size_t failed = 0;
    table_open(&table, "lrrl");
    table_titles(&table, (const char *const[]){"target", "needed", "reached", "verdict"});
    for (size_t i = 0; i < v->count; i++) {
        table_cell(&table, "%s", v->list[i].what);
        table_cell(&table, "%s", v->list[i].needed);
        table_cell(&table, "%.3f", v->list[i].reached);
        table_cell(&table, "%s", v->list[i].pass ? "PASS" : "FAIL");
        failed += !v->list[i].pass;
    }
    table_close(&table, stdout);
    return failed ? EXIT_WRONG : EXIT_GOOD;
}

void shares_add(struct shares *shares, const struct trainer *t)
{
    int encoders = t->training.threads < 2 ? 1 : 2; /* at a time */
    shares->all += t->seconds;
    shares->loss += t->objective.seconds;
    for (int side = 0; side < 2; side++)
        shares->products += t->encoder[side].product_seconds / encoders;
}

void shares_print(const struct shares *s, double seconds, size_t settings, int threads)
{
    double rest = s->all - s->loss - s->products;
    printf("%zu training runs in %.1f s (%.1f s each), %s, %d thread%s; of training the loss took "
           "%.0f %%, products of the encoders %.0f %%, the rest %.0f %%\n",
           settings, seconds, seconds / (double)settings, isa_in_use(), threads,
           threads == 1 ? "" : "s", 100 * s->loss / s->all, 100 * s->products / s->all,
           100 * rest / s->all);
}

const char *isa_in_use(void)
{
    enum mmk_isa isa;
    must_be_good(mmk_isa_in_use(&isa), "mmk_isa_in_use");
    return mmk_isa_name(isa);
}
