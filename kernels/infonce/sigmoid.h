/* sigmoid.h - what the sigmoid loss has of its own in a call's memory (internal).
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_INFONCE_SIGMOID_H
#define MMK_INFONCE_SIGMOID_H

#include "problem.h"

void infonce_layout_sigmoid(struct infonce *p, struct scratch *s);

#endif
