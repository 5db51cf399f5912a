/* serve.h - the side of the gate that is timed: a program that waits for orders.
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_BENCH_SERVE_H
#define MMK_BENCH_SERVE_H

/* Reads orders on stdin, answers on stdout. Returns the exit code.
 *     open <kernel> <shape> <threads> <variant> <seed> [unchecked]
 *         -> ready <calls> anew | none <why> | failed <why>
 *     sample <calls>                                    ->  <seconds a call> <0: good, else void>
 *     (end of input)                                    ->  exits
 * "open" maps the memory of a case anew, also of the one that is open; unchecked: without the
 * oracle. Older and newer builds must understand each other: add orders, never change these. */
int serve_orders(void);

#endif
