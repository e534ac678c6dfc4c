// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// What a rank of the job says of its call and of where its tensors are. Whatever it says, what this rank then reads of
// it lies inside the extent that the path checks against the segment's real size.
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "base/check.h"
#include "base/text.h"
#include "exchange/prepared_call.h"

using namespace ulysses;

namespace {

constexpr int kRanks = 3, kRank = 1, kPeer = 2;

std::unique_ptr<PreparedCall> makeCall(Operation operation) {
  Geometry geometry;
  geometry.nRanks = kRanks;
  geometry.sequence = 12;
  geometry.batch = 2;
  geometry.heads = 6;
  geometry.kvHeads = operation == Operation::GatherHeads ? 1 : 3;
  std::vector<TensorSpec> tensors(2);
  tensors[1].kind = TensorKind::Kv;
  tensors[1].sum = operation == Operation::GatherHeads;
  for (TensorSpec& tensor : tensors) {
    tensor.type = DataType::BF16;
    tensor.headDim = 4;
    tensor.input = {1000, 300, 50, 4};
    tensor.output = {1000, 300, 50, 4};
  }
  return std::make_unique<PreparedCall>(operation, geometry, tensors, kRank, 1);
}

void requireInside(const Extent& extent, const View& view) {
  int64_t begin = view.offset, end = view.offset + view.runBytes;
  for (size_t d = 0; d < View::kDims; ++d) {
    const int64_t reach = (view.n[d] - 1) * view.stride[d];
    (reach < 0 ? begin : end) += reach;
  }
  if (begin < extent.begin || end > extent.end) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto scatter = makeCall(Operation::ScatterHeads), gather = makeCall(Operation::GatherHeads);
  static std::uint64_t hash = 1;
  PreparedCall& call = size > 0 && data[0] % 2 ? *gather : *scatter;
  CallRecord record = call.record();
  if (size > 0) std::memcpy(&record, data, std::min(size, sizeof record));
  (void)textFrom(record.poisonText);
  try {
    call.bind(kPeer, hash += 2, record);
  } catch (const Error&) {
    return 0;
  }
  const Plan& plan = call.plan();
  for (const auto& receive : plan.receivesFrom(kPeer))
    requireInside(call.peerExtent(kPeer, receive.box.tensor), call.peerView(kPeer, receive.box));
  return 0;
}
