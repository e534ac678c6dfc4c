// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "comm/device_group.h"

#include <sys/random.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "base/text.h"
#include "kernels/device/launch.h"

namespace ulysses {
namespace {

/// Tells processes apart, also those of one number in different namespaces.
uint64_t processToken() {
  static const uint64_t token = [] {
    uint64_t random = 0;
    if (getrandom(&random, sizeof(random), 0) != sizeof(random)) raiseErrno("getrandom");
    return random;
  }();
  return token ^ static_cast<uint64_t>(getpid());  // a forked child is another
}

std::array<char, 240> problemOf(const std::string& text) {
  char problem[240] = {};
  copyText(problem, text);
  return std::to_array(problem);
}

template <typename T>
std::span<const std::byte> bytesOf(const T& value) {
  return std::as_bytes(std::span(&value, 1));
}

template <typename T>
std::vector<T> valuesOf(const std::vector<std::byte>& bytes) {
  std::vector<T> values(bytes.size() / sizeof(T));
  std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

}  // namespace

/// What a rank says of its board and of the memory that it registers. Addresses are of its process.
struct DeviceGroup::Card {
  uint64_t process = 0;
  std::array<std::byte, 16> device{};
  uint64_t board = 0, allocation = 0;
  int64_t offset = 0, bytes = 0;  // of the range in its allocation
  DeviceRuntime::Handle boardHandle{}, handle{};
  Problem problem{};
};

DeviceGroup::DeviceGroup(std::unique_ptr<DeviceRuntime> runtime, int rank, int nRanks, int64_t timeoutMs,
                         AllGather allGather)
    : runtime_(std::move(runtime)),
      rank_(rank),
      nRanks_(nRanks),
      allGather_(std::move(allGather)),
      end_(*runtime_, {.rank = rank, .nRanks = nRanks, .timeoutMs = timeoutMs}) {}

DeviceGroup::~DeviceGroup() {
  finish();
  // Peers in trouble may still write to this board: it is left to the end of the process.
  if (trouble()) end_.abandonBoard();
  for (Registration& registration : registrations_) close(registration);
  close(boards_);
}

/// Everybody's problem, "" where there is none: the first is thrown at every rank.
void DeviceGroup::agree(const std::vector<Problem>& problems) const {
  for (int rank = 0; rank < nRanks_; ++rank)
    if (const char* const text = problems[static_cast<size_t>(rank)].data(); text[0] != '\0')
      raise(Result::InvalidArgument, "rank {} cannot register its device memory, or map that of the others: {}", rank,
            text);
}

std::vector<DeviceGroup::Card> DeviceGroup::gather(std::byte* pointer, int64_t bytes) {
  Card mine;
  try {
    mine = cardOf(pointer, bytes);
  } catch (const Error& error) {
    mine.problem = problemOf(error.what());
  }
  std::vector<Card> cards = valuesOf<Card>(allGather_(bytesOf(mine)));
  std::vector<Problem> problems;
  problems.reserve(cards.size());
  for (const Card& card : cards) problems.push_back(card.problem);
  agree(problems);
  return cards;
}

DeviceGroup::Card DeviceGroup::cardOf(std::byte* pointer, int64_t bytes) {
  const int current = runtime_->currentDevice(), wanted = runtime_->device();
  require(current == wanted, "GPU {} is current to the thread, the communicator uses GPU {}; call cudaSetDevice({})",
          current, wanted, wanted);
  const DeviceRuntime::Memory found = runtime_->memoryOf(pointer);
  require(found.onDevice, "pointer {}: {}; want memory of GPU {}, which the communicator uses",
          static_cast<const void*>(pointer), textOf(found), wanted);
  const DeviceRuntime::Allocation memory = runtime_->allocationOf(pointer);
  require(pointer + bytes <= memory.base + memory.bytes, "size={}: the allocation at {} ends {} bytes after pointer",
          bytes, static_cast<const void*>(memory.base), memory.base + memory.bytes - pointer);
  return {.process = processToken(),
          .device = runtime_->deviceId(),
          .board = reinterpret_cast<uint64_t>(end_.board()),
          .allocation = reinterpret_cast<uint64_t>(memory.base),
          .offset = pointer - memory.base,
          .bytes = bytes,
          .boardHandle = runtime_->exportMemory(end_.board()),
          .handle = runtime_->exportMemory(memory.base)};
}

std::byte* DeviceGroup::map(const Card& card, uint64_t address, const DeviceRuntime::Handle& handle,
                            Registration& registration) {
  if (card.process == processToken()) {
    auto* const memory = reinterpret_cast<std::byte*>(address);  // NOLINT(performance-no-int-to-ptr): of this process
    runtime_->reach(memory);
    return memory;
  }
  auto found = opened_.find(handle);
  if (found == opened_.end()) found = opened_.emplace(handle, Opened{runtime_->openMemory(handle), 0}).first;
  ++found->second.uses;
  registration.opened.push_back(handle);
  return found->second.memory;
}

void DeviceGroup::close(Registration& registration) noexcept {
  for (const DeviceRuntime::Handle& handle : registration.opened) {
    const auto found = opened_.find(handle);
    if (--found->second.uses > 0) continue;
    runtime_->closeMemory(found->second.memory);
    opened_.erase(found);
  }
  registration.opened.clear();
}

void DeviceGroup::connect(const std::vector<Card>& cards) {
  std::vector<std::byte*> boards;
  boards.reserve(cards.size());
  for (const Card& card : cards) boards.push_back(map(card, card.board, card.boardHandle, boards_));
  const Card& mine = cards[static_cast<size_t>(rank_)];
  const auto here = std::ranges::count_if(cards, [&](const Card& card) { return card.device == mine.device; });
  end_.connect(boards, static_cast<int>(here));
  connected_ = true;
}

const void* DeviceGroup::add(std::byte* pointer, int64_t bytes) {
  const std::vector<Card> cards = gather(pointer, bytes);
  Registration& registration = registrations_.emplace_back();
  std::string problem;
  try {
    if (!connected_) connect(cards);
    std::vector<device::Segment> segments;
    segments.reserve(cards.size());
    for (const Card& card : cards)
      segments.push_back({map(card, card.allocation, card.handle, registration) + card.offset, card.bytes});
    registration.index = end_.segments().add(segments);
  } catch (const Error& error) {
    problem = error.what();
    close(registration);
  }
  try {
    agree(valuesOf<Problem>(allGather_(bytesOf(problemOf(problem)))));
  } catch (...) {
    if (problem.empty()) end_.segments().remove(registration.index);
    close(registration);
    registrations_.pop_back();
    throw;
  }
  return &registration;
}

bool DeviceGroup::remove(const void* handle) {
  const auto found = std::ranges::find_if(registrations_, [&](const Registration& each) { return &each == handle; });
  if (found == registrations_.end()) return false;
  const auto indices = valuesOf<uint64_t>(allGather_(bytesOf(uint64_t{found->index})));
  for (int rank = 0; rank < nRanks_; ++rank)
    require(indices[static_cast<size_t>(rank)] == found->index,
            "handle: rank {} deregisters another range of device memory than rank {}; do it in one order at every rank",
            rank, rank_);
  end_.segments().remove(found->index);
  close(*found);
  registrations_.erase(found);
  return true;
}

void DeviceGroup::enqueue(PreparedCall& prepared, std::span<const std::byte* const> inputs,
                          std::span<std::byte* const> outputs, void* stream) {
  if (!prepared.device)
    prepared.device =
        std::make_unique<DeviceCall>(*runtime_, prepared.plan(), prepared.callHash(), device::kTilePieces);
  end_.enqueue(*prepared.device, inputs, outputs, stream);
}

}  // namespace ulysses
