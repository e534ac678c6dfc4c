// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "exchange/seal.h"

#include <array>
#include <cstring>

#include "base/format.h"
#include "exchange/mover.h"

namespace ulysses {
namespace {

using Seals = std::array<uint64_t, kSeals>;

/// The bytes of a view in their canonical order, however they lie in memory.
uint64_t hashOf(const std::byte* base, const View& boxView) {
  const View view = coalesce(boxView);
  HashStream hash;
  forEachStrip(view, 0, view.bytes(), [&](int64_t offset, int64_t stride, int64_t rows, int64_t bytes) {
    for (int64_t row = 0; row < rows; ++row) hash.add(base + offset + row * stride, static_cast<size_t>(bytes));
  });
  return hash.value();
}

void fold(uint64_t& seal, uint64_t boxHash) { seal = hashBytes(&boxHash, sizeof boxHash, seal); }

/// Of one box that arrived: the output where it is, or the summand, since the output holds a sum.
uint64_t hashOfArrived(int peer, size_t place, const Pending& operation, const Mover& mover,
                       const SummandHashes& summands) {
  const Plan& plan = operation.call->plan();
  const Receive& receive = plan.receivesFrom(peer)[place];
  const int tensor = receive.box.tensor;
  if (receive.unit < 0) return hashOf(operation.memory.output[tensor], plan.destinationView(receive.box));
  const std::byte* source = mover.inPlace(peer, tensor);
  return source ? hashOf(source, operation.call->peerView(peer, receive.box))
                : summands.of(static_cast<size_t>(plan.firstReceive(peer)) + place);
}

/// Where a copied box differs from its source, which is still there to be looked at; nothing when it does not.
std::optional<int64_t> firstDifference(const Copy& copy, const std::byte* source, const std::byte* output) {
  std::optional<int64_t> first;
  forEachRowBlock(copy, [&](int64_t srcOffset, int64_t dstOffset) {
    for (int64_t row = 0; row < copy.n[3]; ++row) {
      const std::byte* src = source + srcOffset + row * copy.srcStride[3];
      const int64_t at = dstOffset + row * copy.dstStride[3];
      if (std::memcmp(src, output + at, static_cast<size_t>(copy.runBytes)) == 0) continue;
      int64_t byte = 0;
      while (src[byte] == output[at + byte]) ++byte;
      if (!first || at + byte < *first) first = at + byte;
    }
  });
  return first;
}

/// "tensors[0] tokens 24..47 (of rank 2's own: 0..23)".
std::string placeText(int peer, const Box& box) {
  return formatText("tensors[{}], tokens {}..{} of the sequence ({}..{} of rank {})", box.tensor, box.gatheredToken,
                    box.gatheredToken + box.tokens - 1, box.seqToken, box.seqToken + box.tokens - 1, peer);
}

std::string damageText(int peer, size_t place, const Pending& operation, const Mover& mover) {
  const Receive& receive = operation.call->plan().receivesFrom(peer)[place];
  const int tensor = receive.box.tensor;
  const std::byte* source = mover.inPlace(peer, tensor);
  const std::string what = placeText(peer, receive.box);
  std::string inputChanged = formatText(
      "{}: rank {} announced other bytes than it has now: it wrote to its input before the operation was complete",
      what, peer);
  if (!source) return formatText("{}: what came from rank {} in chunks is not what it announced", what, peer);
  if (receive.unit >= 0) return inputChanged;
  const Copy& copy = operation.call->copiesFrom(peer)[place];
  const auto at = firstDifference(copy, source, operation.memory.output[tensor]);
  if (!at) return inputChanged;
  return formatText("{}: what came from rank {} was damaged, first at byte {} of the output; test this host's memory",
                    what, peer, *at);
}

}  // namespace

void SummandHashes::add(const SumSource& source, const std::byte* rows, int64_t bytes, bool last) {
  HashStream& running = running_[static_cast<size_t>(source.rank)];
  running.add(rows, static_cast<size_t>(bytes));
  if (!last) return;
  done_[static_cast<size_t>(source.receive)] = running.value();
  running = HashStream();
}

void sealInputs(const PreparedCall& call, const std::byte* const* inputs, std::vector<uint64_t>& seals) {
  const Plan& plan = call.plan();
  seals.assign(static_cast<size_t>(plan.nRanks()) * kSeals, 0);
  for (int peer = 0; peer < plan.nRanks(); ++peer) {
    const auto boxes = plan.sendsTo(peer);
    uint64_t* own = seals.data() + static_cast<size_t>(peer) * kSeals;
    for (size_t i = 0; i < boxes.size(); ++i)
      fold(own[sealOf(i, boxes.size())], hashOf(inputs[boxes[i].tensor], plan.sourceView(boxes[i])));
  }
}

std::optional<std::string> damageFrom(int peer, const uint64_t* seals, const Pending& operation, const Mover& mover,
                                      const SummandHashes& summands) {
  const size_t boxes = operation.call->plan().receivesFrom(peer).size();
  Seals arrived{};
  for (size_t i = 0; i < boxes; ++i)
    fold(arrived[sealOf(i, boxes)], hashOfArrived(peer, i, operation, mover, summands));
  for (size_t i = 0; i < boxes; ++i)
    if (arrived[sealOf(i, boxes)] != seals[sealOf(i, boxes)]) return damageText(peer, i, operation, mover);
  return std::nullopt;
}

}  // namespace ulysses
