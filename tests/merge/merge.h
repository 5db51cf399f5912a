/* merge.h - mmk-check merge: the runs of several machines become one verdict.
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_MERGE_MERGE_H
#define MMK_MERGE_MERGE_H

/* argv[0] is "merge". Returns the exit status. */
int merge_main(int argc, char **argv);

#endif
