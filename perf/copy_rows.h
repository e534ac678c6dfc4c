// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// The copy kernels of the floor: several rows at a time, so that several hardware prefetch streams run, stored past the
// caches (streamed) or plainly. Measured best on CPUs among a dozen (docs/perf.md); written here again, so that the
// floor shares no code with the library it judges.
#pragma once

#include <cstddef>
#include <cstdint>

#include "options.h"

namespace ulysses::perf {

// `rows` runs that one source gives to one place of the output.
struct RowStream {
  std::byte* target;
  const std::byte* source;
  int64_t targetRow, sourceRow, bytes;
};

struct CopyKernel {
  void (*copy)(const RowStream& stream, int64_t rows);
  // Row by row, each from every stream in turn: the output is written in its own order.
  void (*merge)(const RowStream* streams, int64_t nStreams, int64_t rows);
  void (*fence)();  // streamed stores become visible
};

// The widest variant that this CPU runs.
CopyKernel copyKernel(FloorKernel kernel);

}  // namespace ulysses::perf
