// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// The part of the mover that packs, unpacks and sums chunks.
#include <cstring>

#include "base/fault_point.h"
#include "exchange/mover.h"

namespace ulysses {

/// Fills and sends at most one chunk.
bool Mover::stepSend(int peer) {
  Send& send = sends_[static_cast<size_t>(peer)];
  Path& path = *paths_[static_cast<size_t>(peer)];
  const auto entries = call_->streams().sendsTo(peer);
  for (;;) {
    const auto piece = send.cursor.peek(call_->plan(), entries);
    if (send.filled && (!piece || piece->startsChunk)) {
      path.sendChunk(peer, send.cursor.usedBytes());
      faultPoint("op.chunk_sent");
      send.chunk = {};
      send.filled = false;
      if (piece) return true;
    }
    if (!piece) {
      send.open = false;
      --openSends_;
      return true;
    }
    const Streams::Send& entry = entries[static_cast<size_t>(piece->index)];
    if (const auto rows = rowsInPlace(peer, *piece); !rows.empty()) {
      if (!path.sendFrom(peer, rows)) return false;
      send.cursor.advance(call_->plan(), *entry.box, *piece);
      faultPoint("op.chunk_sent");
      return true;
    }
    if (send.chunk.empty()) send.chunk = path.chunkTo(peer);
    if (send.chunk.empty()) return false;
    if (!fill(entry, *piece, send.chunk.data() + piece->chunkOffset)) return false;
    send.cursor.advance(call_->plan(), *entry.box, *piece);
    send.filled = true;
  }
}

/// A piece that is a chunk of its own, where its rows lie in the input as they are sent and the path would rather have
/// them from there; else nothing.
std::span<const std::byte> Mover::rowsInPlace(int peer, const StagePiece& piece) const {
  const Plan& plan = call_->plan();
  const Send& send = sends_[static_cast<size_t>(peer)];
  const auto entries = call_->streams().sendsTo(peer);
  const Streams::Send& entry = entries[static_cast<size_t>(piece.index)];
  const int64_t rowBytes = plan.tensors()[static_cast<size_t>(entry.box->tensor)].rowBytes();
  const int64_t begin = piece.rowBegin * rowBytes, end = piece.rowEnd * rowBytes;
  if (entry.transit >= 0 || entry.relayOf >= 0 || send.filled) return {};
  if (!paths_[static_cast<size_t>(peer)]->sendsInPlace(end - begin)) return {};
  const View view = coalesce(plan.sourceView(*entry.box));
  if (view.runBytes < end - begin) return {};
  StageCursor behind = send.cursor;
  behind.advance(plan, *entry.box, piece);
  const auto next = behind.peek(plan, entries);
  if (next && !next->startsChunk) return {};
  std::span<const std::byte> rows;
  forEachStrip(view, begin, end, [&](int64_t offset, int64_t, int64_t count, int64_t bytes) {
    if (count == 1 && bytes == end - begin)
      rows = {operation_->memory.input[entry.box->tensor] + offset, static_cast<size_t>(bytes)};
  });
  return rows;
}

/// False while what is to be passed on, or added up, has not come.
bool Mover::fill(const Streams::Send& send, const StagePiece& piece, std::byte* to) {
  const Plan& plan = call_->plan();
  const int tensor = send.box->tensor;
  if (send.transit >= 0) {
    const Streams::Transit& transit = call_->streams().transits()[static_cast<size_t>(send.transit)];
    if (!haveAll(transit, piece)) return false;
    const Streams::Source& first = call_->streams().sourcesOf(transit)[0];
    if (transit.sourceCount == 1)
      passOn(send, first, piece, to);
    else
      sumForHost(send, transit, piece, to);
    return true;
  }
  if (send.relayOf < 0) {
    pack(*send.box, plan.sourceView(*send.box), operation_->memory.input[tensor], piece, to);
    return true;
  }
  const auto came = static_cast<size_t>(send.relayOf);
  if (rowsCome_[came] < piece.rowEnd) return false;
  pack(*send.box, plan.destinationView(plan.receives()[came].box), operation_->memory.output[tensor], piece, to);
  return true;
}

void Mover::pack(const Box& box, const View& whole, const std::byte* from, const StagePiece& piece, std::byte* to) {
  const int64_t rowBytes = call_->plan().tensors()[static_cast<size_t>(box.tensor)].rowBytes();
  const View view = coalesce(whole);
  forEachStrip(view, piece.rowBegin * rowBytes, piece.rowEnd * rowBytes,
               [&](int64_t offset, int64_t stride, int64_t rows, int64_t bytes) {
                 // Cached stores always: the peer reads the chunk next.
                 kernels::copyRows({to, bytes, from + offset, stride, rows, bytes}, kernels::Store::Cached);
                 to += rows * bytes;
               });
  if (faultPoint("stage.packed")) *--to ^= std::byte{1};  // fail: a bit is damaged on its way
}

void Mover::unpack(const Box& box, const StagePiece& piece, const std::byte* from) {
  const int64_t rowBytes = call_->plan().tensors()[static_cast<size_t>(box.tensor)].rowBytes();
  const View view = coalesce(call_->plan().destinationView(box));
  std::byte* to = operation_->memory.output[box.tensor];
  forEachStrip(view, piece.rowBegin * rowBytes, piece.rowEnd * rowBytes,
               [&](int64_t offset, int64_t stride, int64_t rows, int64_t bytes) {
                 kernels::copyRows({to + offset, stride, from, bytes, rows, bytes}, operation_->store);
                 from += rows * bytes;
               });
}

std::optional<StagePiece> Mover::peekReceive(int peer) {
  return receives_[static_cast<size_t>(peer)].cursor.peek(call_->plan(), call_->streams().receivesFrom(peer));
}

/// Moves past a piece that was used; gives a chunk back with its last piece.
void Mover::advanceReceive(int peer, const StagePiece& piece) {
  Receive& receive = receives_[static_cast<size_t>(peer)];
  const Streams::Receive& entry = call_->streams().receivesFrom(peer)[static_cast<size_t>(piece.index)];
  receive.cursor.advance(call_->plan(), *entry.box, piece);
  const auto next = peekReceive(peer);
  if (next && !next->startsChunk) return;
  paths_[static_cast<size_t>(peer)]->releaseChunk(peer);
  receive.chunk = {};
  if (next) return;
  receive.open = false;
  --openReceives_;
}

/// Whether the chunk of the stream's next piece has come.
bool Mover::holdChunk(int peer) {
  Receive& receive = receives_[static_cast<size_t>(peer)];
  if (receive.chunk.empty()) receive.chunk = paths_[static_cast<size_t>(peer)]->chunkFrom(peer);
  return !receive.chunk.empty();
}

/// Uses up at most one chunk.
bool Mover::stepReceive(int peer) {
  Receive& receive = receives_[static_cast<size_t>(peer)];
  const auto entries = call_->streams().receivesFrom(peer);
  bool moved = false;
  for (bool first = true; receive.open; first = false) {
    const auto piece = peekReceive(peer);
    if (!piece) {  // the peer had nothing of the staged tensors for this rank
      receive.open = false;
      --openReceives_;
      return true;
    }
    if (!first && receive.chunk.empty()) return true;
    if (!holdChunk(peer)) return moved;
    faultPoint("op.chunk_taken");
    const Streams::Receive& entry = entries[static_cast<size_t>(piece->index)];
    if (entry.transit >= 0) return moved;  // taken by the send that it is passed on by
    if (entry.unit >= 0) {
      if (!sumStaged(call_->plan().sumUnits()[static_cast<size_t>(entry.unit)], *piece)) return moved;
    } else {
      unpack(*entry.box, *piece, receive.chunk.data() + piece->chunkOffset);
      if (call_->streams().passesOn()) rowsCome_[static_cast<size_t>(entry.receive)] = piece->rowEnd;
      advanceReceive(peer, *piece);
    }
    moved = true;
  }
  return moved;
}

/// Whether every staged summand of these rows is at hand. Streams carry the units in one order, so the earliest unit
/// that is not done is at the front of every stream that has it: no two streams wait for each other.
bool Mover::allStagedAt(const SumUnit& unit, const StagePiece& piece) {
  for (const SumSource& source : call_->plan().sumSources(unit)) {
    if (!isStaged(source.rank, unit.box.tensor)) continue;
    const auto at = peekReceive(source.rank);
    if (!at || at->index != call_->streams().placeOf(source.receive) || at->rowBegin != piece.rowBegin) return false;
    if (!holdChunk(source.rank)) return false;
  }
  return true;
}

void Mover::hashSummands(const SumUnit& unit, const StagePiece& piece) {
  const int64_t rowBytes = call_->plan().tensors()[static_cast<size_t>(unit.box.tensor)].rowBytes();
  for (const SumSource& source : call_->plan().sumSources(unit)) {
    if (!isStaged(source.rank, unit.box.tensor)) continue;
    const std::byte* rows =
        receives_[static_cast<size_t>(source.rank)].chunk.data() + peekReceive(source.rank)->chunkOffset;
    summandHashes_->add(source, rows, (piece.rowEnd - piece.rowBegin) * rowBytes,
                        piece.rowEnd == unit.box.rows(call_->plan().geometry().batch));
  }
}

bool Mover::sumStaged(const SumUnit& unit, const StagePiece& piece) {
  if (!allStagedAt(unit, piece)) return false;
  findSummands(unit, piece.rowBegin);
  if (summandHashes_) hashSummands(unit, piece);
  faultPoint("op.summing");
  sumRows(unit, piece.rowBegin, piece.rowEnd);
  for (const SumSource& source : call_->plan().sumSources(unit))
    if (isStaged(source.rank, unit.box.tensor)) advanceReceive(source.rank, *peekReceive(source.rank));
  return true;
}

/// Whether the others' rows of this piece are at the front of their streams. Streams carry summands in one order, and
/// what is sent in that order waits for nothing else.
bool Mover::haveAll(const Streams::Transit& transit, const StagePiece& piece) {
  for (const Streams::Source& source : call_->streams().sourcesOf(transit)) {
    if (source.rank == rank_) continue;
    const auto at = peekReceive(source.rank);
    if (!at || at->index != source.place || at->rowBegin != piece.rowBegin || !holdChunk(source.rank)) return false;
  }
  return true;
}

/// From chunk to chunk, as they came.
void Mover::passOn(const Streams::Send& send, const Streams::Source& from, const StagePiece& piece, std::byte* to) {
  const StagePiece at = *peekReceive(from.rank);
  const int64_t rowBytes = call_->plan().tensors()[static_cast<size_t>(send.box->tensor)].rowBytes();
  const std::byte* rows = receives_[static_cast<size_t>(from.rank)].chunk.data() + at.chunkOffset;
  std::memcpy(to, rows, static_cast<size_t>((piece.rowEnd - piece.rowBegin) * rowBytes));
  advanceReceive(from.rank, at);
}

/// Rows of one KV head, added up over this host's ranks in float32 and rounded once, into the chunk.
void Mover::sumForHost(const Streams::Send& send, const Streams::Transit& sum, const StagePiece& piece, std::byte* to) {
  const Plan& plan = call_->plan();
  const TensorSpec& tensor = plan.tensors()[static_cast<size_t>(send.box->tensor)];
  const int64_t rowBytes = tensor.rowBytes(), tokenBytes = plan.geometry().batch * rowBytes;
  Summand* out = summands_.data();
  for (const Streams::Source& source : call_->streams().sourcesOf(sum)) {
    if (source.rank == rank_) {
      const View view = plan.sourceView(*send.box);
      *out++ = {operation_->memory.input[send.box->tensor] + view.offset, view.stride[0], view.stride[1]};
    } else {
      const std::byte* rows = receives_[static_cast<size_t>(source.rank)].chunk.data() +
                              peekReceive(source.rank)->chunkOffset - piece.rowBegin * rowBytes;
      *out++ = {rows, tokenBytes, rowBytes};
    }
  }
  sumRows({to - piece.rowBegin * rowBytes, tokenBytes, rowBytes}, sum.sourceCount, tensor, piece.rowBegin, piece.rowEnd,
          kernels::Store::Cached);
  for (const Streams::Source& source : call_->streams().sourcesOf(sum))
    if (source.rank != rank_) advanceReceive(source.rank, *peekReceive(source.rank));
}

}  // namespace ulysses
