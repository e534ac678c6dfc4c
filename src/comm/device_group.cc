// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "comm/device_group.h"

#include <sys/random.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <mutex>

#include "base/check.h"
#include "base/format.h"
#include "base/log.h"
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

template <typename T>
std::span<const std::byte> bytesOf(const T& value) {
  return std::as_bytes(std::span(&value, 1));
}

/// Boards of ranks that are in this process: whoever of them goes last frees one. So a rank that exchanges when a peer
/// has gone writes to a board still, and waits for the peer in vain.
class SharedBoards {
 public:
  static SharedBoards& instance() {
    static SharedBoards& only = *new SharedBoards;  // outlives what ends at exit
    return only;
  }
  void enter(std::byte* board) {
    const std::lock_guard lock(mutex_);
    ++boards_[board].users;
  }
  /// Whether it is to be freed now.
  bool leave(std::byte* board, bool abandoned) {
    const std::lock_guard lock(mutex_);
    const auto found = boards_.find(board);
    found->second.abandoned = found->second.abandoned || abandoned;
    if (--found->second.users > 0) return false;
    const bool frees = !found->second.abandoned;
    boards_.erase(found);
    return frees;
  }

 private:
  struct Shared {
    int users = 0;
    bool abandoned = false;
  };
  std::mutex mutex_;
  std::map<std::byte*, Shared> boards_;
};

}  // namespace

/// What a rank says of its board and of the memory, or its shadow, that it registers. Addresses are of its process.
struct DeviceGroup::Card {
  uint64_t process = 0;
  std::array<std::byte, 16> device{};
  uint64_t board = 0, allocation = 0;
  int64_t offset = 0, bytes = 0;          // of the range in its allocation, or from its first mapping
  int64_t mappings = 0, mappedBytes = 0;  // cuMemMap's, all that the range touches; 0: it is in an allocation
  DeviceRuntime::Handle boardHandle{}, handle{};
  int32_t window = 0;
  EnginePolicy policy = EnginePolicy::Auto;
  int32_t isShadow = 0;
  int32_t hasHandle = 0;  // whether other processes and GPUs may map it at all
  Problem problem{};
};

/// How mapping the others' memory went.
struct DeviceGroup::Verdict {
  int32_t unmapped = -1;  // the rank whose memory this one cannot map; -1: none, or it is not about memory
  Problem problem{};
};

DeviceGroup::DeviceGroup(std::unique_ptr<DeviceRuntime> runtime, int rank, int nRanks, const Options& options,
                         AllGather allGather)
    : runtime_(std::move(runtime)),
      rank_(rank),
      nRanks_(nRanks),
      policy_(options.policy),
      allGather_(std::move(allGather)),
      passing_(*runtime_, options.path, rank, nRanks, allGather_),
      end_(*runtime_, {.rank = rank,
                       .nRanks = nRanks,
                       .timeoutMs = options.timeoutMs,
                       .mostBlocks = options.mostBlocks,
                       .who = options.who}) {}

/// What was enqueued is done, and what a graph launches later finds the lease ended; what it launched meanwhile is
/// waited for too.
void DeviceGroup::finish() noexcept {
  runtime_->finish();
  end_.retire();
  runtime_->finish();
}

DeviceGroup::~DeviceGroup() {
  finish();
  // Peers in trouble may still write to this board, and to shadows: they are left to the end of the process.
  const bool troubled = trouble().has_value();
  leaveBoards(troubled);
  for (Registration& registration : registrations_) {
    close(registration);
    if (troubled) registration.shadow.abandon();
  }
  close(boards_);
}

void DeviceGroup::leaveBoards(bool troubled) noexcept {
  std::byte* const own = end_.board();
  if (troubled)
    end_.abandonBoard();
  else if (!sharedBoards_.empty())
    end_.giveBoardAway();
  for (std::byte* const board : sharedBoards_)
    if (SharedBoards::instance().leave(board, troubled && board == own)) runtime_->free(board);
}

std::vector<DeviceGroup::Card> DeviceGroup::gather(Registration& registration) {
  Card mine;
  try {
    mine = cardOf(registration);
  } catch (const Error& error) {
    mine.problem = problemOf(error.what());
  }
  mine.window = registration.window;
  mine.policy = policy_;
  std::vector<Card> cards = gathered(allGather_, mine);
  std::vector<Problem> problems;
  problems.reserve(cards.size());
  for (const Card& card : cards) problems.push_back(card.problem);
  agree(problems);
  requireSameKind(cards);
  return cards;
}

void DeviceGroup::requireSameKind(const std::vector<Card>& cards) const {
  const auto nameOf = [](const Card& card) { return card.window != 0 ? "a window" : "memory that is no window"; };
  for (int rank = 1; rank < nRanks_; ++rank) {
    const Card &first = cards[0], &other = cards[static_cast<size_t>(rank)];
    require(first.window == other.window,
            "flags: rank 0 registers {}, rank {} {}; all ranks give ULYSSES_REGISTER_WINDOW or none does",
            nameOf(first), rank, nameOf(other));
  }
}

DeviceGroup::Card DeviceGroup::cardOf(Registration& registration) {
  const Registrable found = requireRegistrable(*runtime_, registration.memory, registration.bytes);
  Card card{.process = processToken(),
            .device = runtime_->deviceId(),
            .board = reinterpret_cast<uint64_t>(end_.board()),
            .bytes = registration.bytes,
            .boardHandle = runtime_->exportMemory(end_.board())};
  if (!registration.whyShadow.empty() && registration.shadow.data() == nullptr)
    registration.shadow = DeviceMemory(*runtime_, allocateDeviceMemory(registration.bytes));
  if (std::byte* const shadow = registration.shadow.data(); shadow != nullptr) {
    card.isShadow = card.hasHandle = 1;
    card.allocation = reinterpret_cast<uint64_t>(shadow);
    card.handle = runtime_->exportMemory(shadow);
  } else {
    describe(found, registration, card);
  }
  return card;
}

/// Of the memory itself. That it has no handle is of no consequence where nobody needs one.
void DeviceGroup::describe(const Registrable& found, Registration& registration, Card& card) {
  std::byte* const base = found.parts.front().base;
  card.allocation = reinterpret_cast<uint64_t>(base);
  card.offset = registration.memory - base;
  registration.mappings.clear();
  if (found.isMapped) {
    registration.mappings = found.parts;
    card.mappings = std::ssize(found.parts);
    card.mappedBytes = found.parts.back().base + found.parts.back().bytes - base;
  }
  try {
    if (found.isMapped)
      for (const DeviceRuntime::Allocation& mapping : found.parts) runtime_->exportMapping(mapping.base);
    else
      card.handle = runtime_->exportMemory(base);
    card.hasHandle = 1;
  } catch (const Error& error) {
    registration.noHandle = error.what();
  }
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

/// A peer's memory, or its shadow.
std::byte* DeviceGroup::mapMemory(size_t rank, const Card& card, Registration& registration) {
  if (card.mappings == 0) return map(card, card.allocation, card.handle, registration);
  if (card.offset < 0 || card.bytes < 0 || card.offset > card.mappedBytes - card.bytes)
    raise(Result::InternalError, "rank {} registers {} bytes at {} of {} bytes of mappings", rank, card.bytes,
          card.offset, card.mappedBytes);
  if (card.process != processToken()) return registration.imported[rank].value().data();
  auto* const base =
      reinterpret_cast<std::byte*>(card.allocation);  // NOLINT(performance-no-int-to-ptr): of this process
  if (card.device != runtime_->deviceId()) runtime_->reachMappings(base, card.mappedBytes);
  return base;
}

void DeviceGroup::close(Registration& registration) noexcept {
  registration.imported.clear();
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
  policy_ = cards[0].policy;
  for (size_t rank = 0; rank < cards.size(); ++rank) {
    if (cards[rank].process != mine.process) continue;
    sharedBoards_.push_back(boards[rank]);
    SharedBoards::instance().enter(boards[rank]);
  }
  connected_ = true;
}

/// Each round that is not the last gives a rank a shadow that had none.
const void* DeviceGroup::add(std::byte* pointer, int64_t bytes, bool window) {
  Registration& registration = registrations_.emplace_back();
  registration.memory = pointer;
  registration.bytes = bytes;
  registration.window = window;
  try {
    while (!tryAdd(registration)) {
    }
  } catch (...) {
    close(registration);
    registrations_.pop_back();
    throw;
  }
  registration.complete = true;
  if (!registration.whyShadow.empty()) {
    shadows_.add(pointer, bytes, registration.shadow.data());
    log::info(log::Subsystem::Memory,
              "rank {}: {} bytes at {} are staged, exchanges copy them to or from as much memory that peers map: {}",
              rank_, bytes, static_cast<const void*>(pointer), registration.whyShadow);
  }
  return &registration;
}

bool DeviceGroup::tryAdd(Registration& registration) {
  const std::vector<Card> cards = gather(registration);
  if (wantShadows(cards, registration)) return false;
  passMappings(cards, registration);
  const Verdict mine = mapAll(cards, registration);
  const bool mapped = mine.problem[0] == '\0';
  const auto undo = [&] {
    if (mapped) end_.segments().remove(registration.index);
    close(registration);
  };
  std::vector<Verdict> verdicts;
  try {
    verdicts = gathered(allGather_, mine);
  } catch (...) {
    undo();
    throw;
  }
  try {
    if (accept(verdicts, cards, registration)) {
      requireHeard();
      return true;
    }
  } catch (...) {
    undo();
    allGather_(bytesOf(uint64_t{0}));  // shadows must not be freed while a peer has them mapped
    throw;
  }
  undo();
  return false;
}

/// That what a rank's GPU writes to another's arrives: peer access may be there and not work. Once, after all greeted.
void DeviceGroup::requireHeard() {
  if (heard_) return;
  Problem mine{};
  try {
    if (const int peer = end_.unheard(); peer >= 0)
      raise(Result::SystemError,
            "what the GPU of rank {} wrote to this rank's did not arrive: peer access between the two does not work; "
            "look at nvidia-smi topo -p2p w, and at the IOMMU and PCIe ACS of this host",
            peer);
  } catch (const Error& error) {
    mine = problemOf(error.what());
  }
  agree(gathered(allGather_, mine));
  heard_ = true;
}

/// Whether some rank's memory has no handle, and peers that would need one. All ranks come to the same answer.
bool DeviceGroup::wantShadows(const std::vector<Card>& cards, Registration& registration) {
  bool any = false;
  for (int rank = 0; rank < nRanks_; ++rank) {
    const Card& owner = cards[static_cast<size_t>(rank)];
    const bool needed = std::ranges::any_of(cards, [&](const Card& peer) {
      return peer.process != owner.process || (peer.device != owner.device && owner.mappings == 0);
    });
    if (owner.hasHandle != 0 || !needed) continue;
    any = true;
    if (rank == rank_) registration.whyShadow = registration.noHandle;
  }
  return any;
}

/// Each mapping of a rank that some other process is to map.
void DeviceGroup::passMappings(const std::vector<Card>& cards, Registration& registration) {
  std::vector<MappingOffer> offers;
  offers.reserve(cards.size());
  for (const Card& owner : cards) {
    const bool isNeeded = std::ranges::any_of(cards, [&](const Card& peer) { return peer.process != owner.process; });
    if (!isNeeded)
      offers.emplace_back();
    else
      offers.push_back({owner.mappings, owner.mappedBytes, owner.mappings > 0 && owner.process != processToken()});
  }
  const auto given = static_cast<size_t>(offers[static_cast<size_t>(rank_)].mappings);
  registration.imported =
      passing_.pass(offers, std::span<const DeviceRuntime::Allocation>(registration.mappings).first(given));
}

DeviceGroup::Verdict DeviceGroup::mapAll(const std::vector<Card>& cards, Registration& registration) {
  Verdict verdict;
  try {
    if (!connected_) connect(cards);
    if (!heard_) end_.greet();  // again where an earlier registration failed: no exchange was made since
    std::vector<device::Segment> segments;
    segments.reserve(cards.size());
    for (const Card& card : cards) {
      verdict.unmapped = static_cast<int32_t>(segments.size());
      segments.push_back({mapMemory(segments.size(), card, registration) + card.offset, card.bytes});
    }
    verdict.unmapped = -1;
    registration.index = end_.segments().add(segments, registration.window);
  } catch (const Error& error) {
    verdict.problem = problemOf(error.what());
    close(registration);
  }
  return verdict;
}

/// Whether all mapped all. When not, and shadows may help, ranks whose memory could not be mapped get one.
bool DeviceGroup::accept(const std::vector<Verdict>& verdicts, const std::vector<Card>& cards,
                         Registration& registration) {
  std::vector<Problem> hopeless(verdicts.size());
  bool all = true;
  for (size_t rank = 0; rank < verdicts.size(); ++rank) {
    const auto& [unmapped, problem] = verdicts[rank];
    if (problem[0] == '\0') continue;
    all = false;
    if (unmapped < 0 || cards[static_cast<size_t>(unmapped)].isShadow != 0) hopeless[rank] = problem;
    if (unmapped == rank_ && registration.whyShadow.empty())
      registration.whyShadow = formatText("rank {} cannot map them: {}", rank, problem.data());
  }
  agree(hopeless);
  return all;
}

DeviceGroup::View DeviceGroup::view() const {
  View view{runtime_->device(), policy_, end_.blocks(), {}};
  for (const Registration& each : registrations_)
    if (each.complete) view.ranges.push_back({each.memory, each.bytes, each.window, each.whyShadow});
  return view;
}

bool DeviceGroup::remove(const void* handle) {
  const auto found = std::ranges::find_if(registrations_, [&](const Registration& each) { return &each == handle; });
  if (found == registrations_.end()) return false;
  const auto indices = gathered(allGather_, uint64_t{found->index});
  for (int rank = 0; rank < nRanks_; ++rank)
    require(indices[static_cast<size_t>(rank)] == found->index,
            "handle: rank {} deregisters another range of device memory than rank {}; do it in one order at every rank",
            rank, rank_);
  end_.segments().remove(found->index);
  shadows_.remove(found->shadow.data());
  close(*found);
  try {
    allGather_(bytesOf(uint64_t{0}));  // memory must not be freed while a peer has it mapped
  } catch (...) {
    found->shadow.abandon();
    registrations_.erase(found);
    throw;
  }
  registrations_.erase(found);
  return true;
}

/// Copies are planned once, and why there are none is said once.
std::unique_ptr<DeviceCall> DeviceGroup::makeCall(const PreparedCall& prepared, const TensorsOf& tensorsOf) {
  CopyChoice choice;
  if (policy_ == EnginePolicy::CopyEngine)
    choice = chooseCopies(prepared.plan(), tensorsOf);
  else
    choice.reason = formatText("ULYSSES_GPU_ENGINE is {} at rank 0", nameOf(policy_));
  log::info(log::Subsystem::Plan, "rank {}: plan {}: {}", rank_, prepared.recordId(),
            choice.reason.empty()
                ? formatText("{} copies by copy engines when outputs are in windows", choice.copies.size())
                : formatText("no copy engines: {}", choice.reason));
  return std::make_unique<DeviceCall>(end_.planMemory(), prepared.plan(), prepared.callHash(), device::kTilePieces,
                                      std::move(choice));
}

void DeviceGroup::enqueue(const Call& given, PreparedCall& prepared, void* stream) {
  const auto n = static_cast<size_t>(given.nTensors);
  const auto inputs = std::span(given.memory.input).first(n);
  const auto outputs = std::span(given.memory.output).first(n);
  const TensorsOf tensorsOf = [&](int rank) { return resolveTensors(given, rank); };
  if (!prepared.device) prepared.device = makeCall(prepared, tensorsOf);
  if (shadows_.empty()) {
    end_.enqueue(*prepared.device, inputs, outputs, stream);
    return;
  }
  const ShadowedCall call(shadows_, *prepared.device, inputs, outputs);
  call.copyIn(*runtime_, end_.lease(), end_.blocks(), stream);
  end_.enqueue(*prepared.device, call.inputs(), call.outputs(), stream);
  call.copyOut(*runtime_, end_.lease(), end_.blocks(), stream);
}

}  // namespace ulysses
