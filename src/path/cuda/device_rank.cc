// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "path/cuda/device_rank.h"

#include <algorithm>
#include <atomic>
#include <climits>

#include "base/check.h"

namespace ulysses {
namespace {

// Near the wrap, so that it comes in every longer run.
constexpr uint32_t kEpochAtStart = 0u - 64u;

/// In an allocation of its own, since peers map all of it.
DeviceMemory makeBoard(DeviceRuntime& runtime, int nRanks) {
  DeviceMemory board(runtime, allocateDeviceMemory(static_cast<int64_t>(device::Board::bytesFor(nRanks))));
  device::Board::Local local{};
  local.epoch = kEpochAtStart;
  runtime.write(board.data(), &local, sizeof(local));
  return board;
}

Result resultOf(const device::Report& report) {
  switch (static_cast<device::Trouble>(report.state)) {
    case device::Trouble::kTimeout:
      return Result::Timeout;
    case device::Trouble::kMismatch:
    case device::Trouble::kAsymmetric:
      return Result::Mismatch;
    case device::Trouble::kPoison:
      return Result::RemoteInvalid;
    case device::Trouble::kUnknownMemory:
      return Result::InvalidUsage;
    default:
      return Result::Aborted;
  }
}

}  // namespace

DeviceRank::DeviceRank(DeviceRuntime& runtime, const Options& options)
    : runtime_(runtime),
      options_(options),
      board_(makeBoard(runtime, options.nRanks)),
      report_(runtime, runtime.allocateShared(sizeof(device::Report))),
      plans_(runtime, &device::Board(board_.data(), options.nRanks).local().ended),
      segments_(runtime, options.rank, options.nRanks),
      lease_(runtime, options.who) {}

void DeviceRank::connect(std::span<std::byte* const> boards, int ranksOnDevice) {
  blocks_ = roomFor(false, ranksOnDevice);
  blocksWithSums_ = roomFor(true, ranksOnDevice);
  boardsHere_.assign(boards.begin(), boards.end());
  boards_ = upload(runtime_, boards);
}

int DeviceRank::roomFor(bool sums, int ranksOnDevice) const {
  const int room = std::max(1, runtime_.residentBlocks(sums) / ranksOnDevice);
  return options_.mostBlocks > 0 ? std::min(room, options_.mostBlocks) : room;
}

namespace {

/// Never 0, which boards are at first.
constexpr uint64_t greetingOf(int from, int to) {
  return 0x756c7973'00000000u + (static_cast<uint64_t>(from) << 16) + static_cast<uint64_t>(to);
}

}  // namespace

/// In the letters' place, where the first letter overwrites it.
void DeviceRank::greet() {
  std::vector<uint64_t> words;
  words.reserve(static_cast<size_t>(options_.nRanks));
  for (int peer = 0; peer < options_.nRanks; ++peer) words.push_back(greetingOf(options_.rank, peer));
  const DeviceMemory own = upload(runtime_, words);
  for (int peer = 0; peer < options_.nRanks; ++peer) {
    const device::Board board(boardsHere_[static_cast<size_t>(peer)], options_.nRanks);
    runtime_.store(reinterpret_cast<std::byte*>(&board.from(options_.rank).letter.callHash),
                   own.data() + static_cast<size_t>(peer) * sizeof(words[0]), sizeof(words[0]));
  }
}

int DeviceRank::unheard() {
  const device::Board board(board_.data(), options_.nRanks);
  for (int peer = 0; peer < options_.nRanks; ++peer) {
    uint64_t word = 0;
    runtime_.read(&word, reinterpret_cast<const std::byte*>(&board.from(peer).letter.callHash), sizeof(word));
    if (word != greetingOf(peer, options_.rank)) return peer;
  }
  return -1;
}

void DeviceRank::revoke() noexcept {
  for (std::byte* const board : boardsHere_)
    runtime_.raise(&device::Board(board, options_.nRanks).local().revoked.value);
}

device::Arguments DeviceRank::prepare(device::Arguments call) {
  call.lease = lease();
  call.launch = plans_.nextLaunch();
  call.rank = options_.rank;
  call.nRanks = options_.nRanks;
  call.segmentsPerRank = Segments::kMost;
  call.boards = boards_.as<std::byte*>();
  call.segments = segments_.table();
  call.report = report_.as<device::Report>();
  call.timeoutNs = static_cast<uint64_t>(options_.timeoutMs) * 1'000'000;
  return call;
}

Engine DeviceRank::enqueue(const DeviceCall& call, std::span<const std::byte* const> inputs,
                           std::span<std::byte* const> outputs, void* stream) {
  device::Arguments arguments = prepare(call.arguments());
  for (int t = 0; t < arguments.nTensors; ++t) {
    const auto i = static_cast<size_t>(t);
    arguments.inputs[t] = inputs[i];
    arguments.outputs[t] = outputs[i];
    place(call, t, call.isPulled(t) ? inputs[i] : outputs[i], arguments.letter.tensors[t]);
  }
  if (!call.copies().empty() && areInWindows(arguments)) {
    enqueueCopies(call, arguments, stream);
    return Engine::CopyEngine;
  }
  launch(arguments, call.tiles(), stream);
  return Engine::Sm;
}

void DeviceRank::launch(const device::Arguments& arguments, uint32_t tiles, void* stream) {
  const int most = static_cast<int>(std::min<uint32_t>(tiles, INT_MAX));
  runtime_.launch(arguments, std::clamp(most, 1, blocks(arguments.sums)), stream);
}

bool DeviceRank::areInWindows(const device::Arguments& arguments) const {
  return std::ranges::all_of(std::span(arguments.letter.tensors).first(static_cast<size_t>(arguments.nTensors)),
                             [&](const device::TensorPlace& place) { return segments_.isWindow(place.segment); });
}

/// Where a peer's output is by the promise of windows. The kernel compares that with what the peer says, but copies are
/// made whatever it finds: they must not leave the window.
std::byte* DeviceRank::destinationOf(const PeerCopy& copy, const device::Arguments& arguments) const {
  const device::TensorPlace& own = arguments.letter.tensors[copy.tensor];
  const device::Segment& window = segments_.of(copy.peer, own.segment);
  const int64_t begin = own.offset + copy.destination, end = begin + copy.shape.reach(copy.shape.destination);
  if (begin < 0 || end > window.bytes)
    raise(Result::InvalidUsage,
          "tensors[{}].output: by its place in the window here, rank {} would be written from byte {} to {} of its "
          "window of {} bytes; register windows that hold every rank's output, and pass outputs at one offset",
          copy.tensor, copy.peer, begin, end, window.bytes);
  return window.base + begin;
}

/// The kernel meets the peers and moves what is this rank's own, copies follow, and the kernel again closes.
void DeviceRank::enqueueCopies(const DeviceCall& call, device::Arguments& arguments, void* stream) {
  for (const PeerCopy& copy : call.copies()) static_cast<void>(destinationOf(copy, arguments));
  arguments.phase = device::Phase::kMeetAndPushOwn;
  arguments.assumed = call.assumed();
  launch(arguments, call.ownTiles(), stream);
  arguments.phase = device::Phase::kClose;
  try {
    for (const PeerCopy& copy : call.copies())
      runtime_.copy(destinationOf(copy, arguments), arguments.inputs[copy.tensor] + copy.source, copy.shape, stream);
  } catch (const Error& error) {
    arguments.letter.poison = static_cast<uint64_t>(error.result());
    launch(arguments, 1, stream);
    throw;
  }
  launch(arguments, 1, stream);
}

/// A rank alone reaches its own memory by pointer.
void DeviceRank::place(const DeviceCall& call, int tensor, const std::byte* pointer, device::TensorPlace& place) const {
  if (place.begin == place.end || options_.nRanks == 1) return;
  const auto found = segments_.find(pointer + place.begin, pointer + place.end);
  if (!found)
    raise(
        Result::InvalidUsage,
        "tensors[{}].{}: its {} bytes from {} on are not in device memory that the peers have mapped; register it with "
        "ulyssesCommRegister at every rank",
        tensor, call.isPulled(tensor) ? "input" : "output", place.end - place.begin,
        static_cast<const void*>(pointer + place.begin));
  place.segment = found->index;
  place.offset = found->offset - place.begin;
}

void DeviceRank::refuse(Result result, void* stream) {
  device::Arguments call = prepare({});
  call.letter.poison = static_cast<uint64_t>(result);
  runtime_.launch(call, 1, stream);
}

std::optional<Cause> DeviceRank::trouble() const {
  device::Report& report = *report_.as<device::Report>();
  if (std::atomic_ref(report.state).load(std::memory_order_acquire) == 0) return std::nullopt;
  Cause cause;
  cause.result = static_cast<int32_t>(resultOf(report));
  cause.rank = options_.rank;
  cause.sequence = report.epoch - kEpochAtStart;
  const std::string text = textOf(report);
  text.copy(cause.text, sizeof(cause.text) - 1);
  return cause;
}

std::string DeviceRank::textOf(const device::Report& report) const {
  const uint32_t number = report.epoch - kEpochAtStart;
  const int rank = options_.rank, peer = report.peer;
  switch (static_cast<device::Trouble>(report.state)) {
    case device::Trouble::kTimeout:
      return report.whileClosing != 0
                 ? formatText("device exchange {}: rank {} did not finish within {} ms; look at what its GPU does",
                              number, peer, options_.timeoutMs)
                 : formatText(
                       "device exchange {}: rank {} did not come within {} ms; look whether it made the call, and "
                       "what its stream waits for",
                       number, peer, options_.timeoutMs);
    case device::Trouble::kMismatch:
      return formatText(
          "device exchange {}: rank {} and rank {} made different calls (hashes {:#x} and {:#x}); compare "
          "operation, geometry, dtypes and layouts",
          number, rank, peer, report.own, report.theirs);
    case device::Trouble::kPoison:
      return formatText("device exchange {}: rank {} could not make the call: {}", number, peer,
                        ulysses::textOf(static_cast<Result>(report.theirs)));
    case device::Trouble::kUnknownMemory:
      return formatText(
          "device exchange {}: tensors[{}] of rank {} is not in memory that rank {} has mapped; register it "
          "with ulyssesCommRegister at every rank, and keep it while exchanges use it",
          number, report.theirs, peer, rank);
    case device::Trouble::kAsymmetric:
      return formatText(
          "device exchange {}: tensors[{}].output of rank {} is not at the offset in the window, or has not the "
          "layout, "
          "that it has by rank {}'s; pass the same at every rank, or register the memory without "
          "ULYSSES_REGISTER_WINDOW",
          number, report.theirs, peer, rank);
    default:
      return formatText("device exchange {}: another rank ended the exchanges of this group{}", number,
                        peer == rank ? "" : formatText(" while this one waited for rank {}", peer));
  }
}

}  // namespace ulysses
