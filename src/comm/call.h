// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <vector>

#include "exchange/exchange.h"

namespace ulysses {

enum class Layout : int32_t { Sbhd, Bshd, Bhsd, Strided };

/// A tensor as the caller described it: its layout may still need the split to become strides.
struct CallTensor {
  int64_t headDim = 0;
  DataType type = DataType::F32;
  TensorKind kind = TensorKind::Query;
  Layout inputLayout = Layout::Sbhd, outputLayout = Layout::Sbhd;
  Strides inputStrides, outputStrides;  // zero unless the layout is Strided
  int64_t sum = 0;
};
static_assert(sizeof(CallTensor) == 96, "padding would make equal calls hash apart");

/// One collective call, checked field by field but not yet against its geometry.
struct Call {
  Operation operation = Operation::ScatterHeads;
  Geometry geometry;
  int nTensors = 0;
  CallTensor tensors[kMaxTensors];
  TensorMemory memory{};
};

/// A call as the caller's own bytes, by which it is known again; empty when they do not say all (arrays behind
/// pointers).
struct CallBytes {
  std::span<const std::byte> geometry, tensors;
};

/// The tensors of a call with strides for one rank. Throws InvalidArgument.
std::vector<TensorSpec> resolveTensors(const Call& call, int rank);

/// The call as a line for the shell, also of a geometry that cannot be: layouts by their names.
std::string reproductionOf(const Call& call);

/// Throws InvalidArgument when a pointer is NULL where bytes are needed, or an output may overlap an input or another
/// output. Allocates nothing when all is well.
void requireMemory(const PreparedCall& prepared, const TensorMemory& memory);

}  // namespace ulysses
