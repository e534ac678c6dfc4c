// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// One exchange in full: what every rank passes. A case is drawn from (seed, index) alone, so that each rank of each
// process knows all of it and a failure can be run again by two numbers.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "support/element.h"
#include "support/geometry_spec.h"
#include "support/partition.h"
#include "support/tensor_image.h"

namespace ulysses::test {

struct TensorCase {
  std::int64_t headDim = 1;
  ulyssesDataType_t type = ulyssesFloat32;
  ulyssesTensorKind_t kind = ulyssesTensorQuery;
  bool sum = false;
  Fill fill = Fill::Bits;
  std::vector<Side> inputs;  // [nRanks]
  std::vector<Side> outputs;
};

struct Case {
  std::uint64_t seed = 0;
  std::int64_t index = 0;
  ulyssesOp_t op = ulyssesOpScatterHeads;
  int nRanks = 1;
  GeometrySpec geometry;
  Partition partition;  // of geometry
  std::vector<TensorCase> tensors;
};

enum class End { Input, Output };

/// Extents of a tensor at one rank.
Dims dimsOf(const Case& run, const TensorCase& tensor, int rank, End end);

/// The heads of the whole tensor: those of the sequence-sharded side.
std::int64_t headsOf(const Case& run, const TensorCase& tensor);

/// First head that a rank holds on the head-sharded side.
std::int64_t firstHead(const Case& run, const TensorCase& tensor, int rank);

/// Images before the exchange: [tensor][rank].
using Images = std::vector<std::vector<Image>>;
Images inputImages(const Case& run);
Image outputImage(const Case& run, std::size_t tensor, int rank);

std::string toText(const Case& run);

}  // namespace ulysses::test
