/* products.h - the backward's two products with G (internal).
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_INFONCE_PRODUCTS_H
#define MMK_INFONCE_PRODUCTS_H

#include "gradient.h"

void infonce_layout_products(struct infonce *p, struct scratch *s);

/* All of G, dX and dY, inside a parallel region. Ends with a barrier. */
void infonce_run_stage(struct stage *s);

#endif
