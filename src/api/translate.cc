// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "api/translate.h"

#include <algorithm>

#include "base/check.h"

namespace ulysses::api {
namespace {

#define ULYSSES_SAME(internal, external) static_assert(static_cast<int>(internal) == static_cast<int>(external))
#define ULYSSES_SAME_RESULT(name, value, text) ULYSSES_SAME(Result::name, value);
ULYSSES_RESULT_LIST(ULYSSES_SAME_RESULT)
ULYSSES_SAME(Result::Mismatch, ulyssesMismatch);
ULYSSES_SAME(Result::InProgress, ulyssesInProgress);
ULYSSES_SAME(DataType::F64, ulyssesFloat64);
ULYSSES_SAME(DataType::BF16, ulyssesBfloat16);
ULYSSES_SAME(DataType::F8E5M2, ulyssesFloat8e5m2);
ULYSSES_SAME(DataType::I64, ulyssesInt64);
ULYSSES_SAME(TensorKind::Kv, ulyssesTensorKv);
ULYSSES_SAME(SequenceOrder::Zigzag, ulyssesOrderZigzag);
ULYSSES_SAME(Layout::Strided, ulyssesLayoutStrided);
ULYSSES_SAME(Operation::GatherHeads, ulyssesOpGatherHeads);
ULYSSES_SAME(kMaxTensors, ULYSSES_MAX_TENSORS);
#undef ULYSSES_SAME_RESULT
#undef ULYSSES_SAME

template <typename Internal, typename External>
Internal translateEnum(const External& value, int count, int index, const char* field, const char* names) {
  const int number = numberOf(value);
  require(number >= 0 && number < count, "tensors[{}].{}={}: want one of {}", index, field, number, names);
  return static_cast<Internal>(number);
}

constexpr const char* kLayouts = "0 (SBHD), 1 (BSHD), 2 (BHSD), 3 (Strided)";

Strides translateStrides(const ulyssesStrides_t& strides, Layout layout, int index, const char* field) {
  if (layout != Layout::Strided) return {};
  constexpr int64_t kLargest = int64_t{1} << 56;  // room for products with byte sizes
  for (const int64_t stride : {strides.sequence, strides.batch, strides.group, strides.head})
    require(stride >= -kLargest && stride <= kLargest, "tensors[{}].{}: stride {} is beyond +-2^56 elements", index,
            field, stride);
  return {strides.sequence, strides.batch, strides.group, strides.head};
}

CallTensor translateTensor(const ulyssesTensor_t& in, int index) {
  CallTensor out;
  out.headDim = in.headDim;
  out.type = translateEnum<DataType>(in.dtype, kDataTypeCount, index, "dtype",
                                     "0..9 (f64 f32 f16 bf16 f8e4m3 f8e5m2 i8 u8 i32 i64)");
  out.kind = translateEnum<TensorKind>(in.kind, 2, index, "kind", "0 (Query), 1 (Kv)");
  out.inputLayout = translateEnum<Layout>(in.inputLayout, 4, index, "inputLayout", kLayouts);
  out.outputLayout = translateEnum<Layout>(in.outputLayout, 4, index, "outputLayout", kLayouts);
  out.inputStrides = translateStrides(in.inputStrides, out.inputLayout, index, "inputStrides");
  out.outputStrides = translateStrides(in.outputStrides, out.outputLayout, index, "outputStrides");
  require((in.flags & ~ULYSSES_TENSOR_SUM) == 0, "tensors[{}].flags={:#x}: want 0 or ULYSSES_TENSOR_SUM (1)", index,
          in.flags);
  require(in.reserved0 == 0 && in.reserved[0] == 0 && in.reserved[1] == 0,
          "tensors[{}].reserved: not 0; zero-initialise ulyssesTensor_t", index);
  out.sum = in.flags & ULYSSES_TENSOR_SUM;
  return out;
}

}  // namespace

Geometry translateGeometry(const ulyssesGeometry_t* in, int nRanks) {
  require(in != nullptr, "geometry is NULL");
  require(in->magic == ULYSSES_GEOMETRY_MAGIC, "geometry.magic={:#x}: start from ULYSSES_GEOMETRY_INITIALIZER",
          in->magic);
  require(in->size == sizeof(ulyssesGeometry_t) && in->version == ULYSSES_GEOMETRY_VERSION,
          "geometry.size={} version={}: this library knows size {} version {}; build against its header", in->size,
          in->version, sizeof(ulyssesGeometry_t), ULYSSES_GEOMETRY_VERSION);
  require(in->reserved0 == 0 &&
              std::all_of(std::begin(in->reserved), std::end(in->reserved), [](int64_t x) { return x == 0; }),
          "geometry.reserved: not 0; start from ULYSSES_GEOMETRY_INITIALIZER");
  const int order = numberOf(in->order);
  require(order == ulyssesOrderContiguous || order == ulyssesOrderZigzag,
          "geometry.order={}: want 0 (Contiguous) or 1 (Zigzag)", order);
  require(nRanks >= 1, "nRanks={}: want at least 1", nRanks);
  require(in->nSequences >= 0, "geometry.nSequences={}: want at least 0", in->nSequences);
  require((in->cuSeqlens != nullptr) == (in->nSequences > 0),
          "geometry.cuSeqlens is {} and nSequences={}: pass both, or NULL and 0", in->cuSeqlens ? "given" : "NULL",
          in->nSequences);
  const auto perRank = [&](const int64_t* values) {
    return values ? std::span(values, static_cast<size_t>(nRanks)) : std::span<const int64_t>();
  };
  Geometry out;
  out.nRanks = nRanks;
  out.sequence = in->sequence;
  out.batch = in->batch;
  out.heads = in->heads;
  out.kvHeads = in->kvHeads == 0 ? in->heads : in->kvHeads;
  out.order = static_cast<SequenceOrder>(order);
  out.tokens = perRank(in->tokens);
  out.queryHeads = perRank(in->queryHeads);
  out.tag = in->tag;
  if (in->cuSeqlens) out.cuSeqlens = std::span(in->cuSeqlens, static_cast<size_t>(in->nSequences) + 1);
  return out;
}

void translateCall(Operation operation, const ulyssesGeometry_t* geometry, const ulyssesTensor_t* tensors, int nTensors,
                   int nRanks, Call& call) {
  call.operation = operation;
  call.nTensors = tensors == nullptr ? 0 : std::clamp(nTensors, 0, kMaxTensors);
  for (int t = 0; t < call.nTensors; ++t) {
    call.memory.input[t] = static_cast<const std::byte*>(tensors[t].input);
    call.memory.output[t] = static_cast<std::byte*>(tensors[t].output);
  }
  call.geometry = translateGeometry(geometry, nRanks);
  require(nTensors >= 1 && nTensors <= kMaxTensors, "nTensors={}: want 1..{}", nTensors, kMaxTensors);
  require(tensors != nullptr, "tensors is NULL");
  for (int t = 0; t < nTensors; ++t) call.tensors[t] = translateTensor(tensors[t], t);
}

}  // namespace ulysses::api
