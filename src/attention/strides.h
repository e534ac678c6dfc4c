// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "attention/request.h"

namespace ulysses::attention {

/// In elements, of this rank's [S_r, B, KV groups, heads per group, D] of a role: what a layout means.
inline ulyssesStrides_t stridesOf(const Request& request, Role role, ulyssesLayout_t layout,
                                  const ulyssesStrides_t& given) {
  const ulyssesGeometry_t& geometry = request.geometry;
  const int64_t kvHeads = geometry.kvHeads == 0 ? geometry.heads : geometry.kvHeads;
  const int64_t heads = request.isKv(role) ? kvHeads : geometry.heads, perGroup = heads / kvHeads;
  const int64_t dim = request.dimOf(role), tokens = request.split.tokenCount;
  switch (layout) {
    case ulyssesLayoutSBHD:
      return {geometry.batch * heads * dim, heads * dim, perGroup * dim, dim};
    case ulyssesLayoutBSHD:
      return {heads * dim, tokens * heads * dim, perGroup * dim, dim};
    case ulyssesLayoutBHSD:
      return {dim, heads * tokens * dim, perGroup * tokens * dim, tokens * dim};
    case ulyssesLayoutStrided:
      break;
  }
  return given;
}

}  // namespace ulysses::attention
