// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "comm/device_relay.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>

#include "base/thread.h"
#include "comm/communicator.h"
#include "kernels/device/launch.h"

namespace ulysses {
namespace {

constexpr int64_t kNsOfMs = 1'000'000;
/// How much longer the stream waits than the exchange may take: the host's error comes first, which says more.
constexpr int64_t kGraceMs = 10'000;

/// What a rank says of the memory that it registers.
struct Card {
  int32_t window = 0;
  Problem problem{};
};

/// Waits for what may come at once or not for long, without a core: naps of an eighth of the time that nothing came.
class BackOff {
 public:
  void reset() { sinceNs_ = nowNs(); }
  void wait() const {
    constexpr int64_t kLongestNs = 500'000;
    const int64_t nap = std::clamp<int64_t>((nowNs() - sinceNs_) / 8, 1'000, kLongestNs);
    std::this_thread::sleep_for(std::chrono::nanoseconds(nap));
  }

 private:
  int64_t sinceNs_ = nowNs();
};

/// Whether all ranks have that result, so that it need not be told.
bool isOfAll(Result result) {
  switch (result) {
    case Result::Mismatch:
    case Result::RemoteInvalid:
    case Result::RemoteLost:
    case Result::Timeout:
    case Result::Aborted:
    case Result::Corrupted:
      return true;
    default:
      return false;
  }
}

/// At a process's exit UCX takes itself apart, while communicators that nobody destroyed have their threads: these must
/// not call it between two exchanges any more.
class Exit {
 public:
  static Exit& instance() {
    static Exit& only = *new Exit;  // outlives the threads
    return only;
  }
  template <typename Fn>
  void unlessPassed(Fn&& fn) {
    const std::lock_guard lock(gate_);
    if (!passed_) fn();
  }

 private:
  Exit() {
    std::atexit([] { instance().pass(); });
  }
  void pass() {
    constexpr int kTries = 100;  // a forked child may find it locked for good
    for (int i = 0; i < kTries; ++i, std::this_thread::sleep_for(std::chrono::milliseconds(1)))
      if (const std::unique_lock lock(gate_, std::try_to_lock); lock.owns_lock()) {
        passed_ = true;
        return;
      }
  }

  std::mutex gate_;
  bool passed_ = false;
};

void requireSameKind(std::span<const Card> cards) {
  for (size_t rank = 1; rank < cards.size(); ++rank)
    require(cards[rank].window == cards[0].window,
            "flags: rank 0 and rank {} differ in ULYSSES_REGISTER_WINDOW; all ranks give it or none does", rank);
}

}  // namespace

DeviceRelay::DeviceRelay(std::unique_ptr<DeviceRuntime> runtime, PlanCache plans, const Options& options,
                         AllGather allGather, MakePeers makePeers)
    : runtime_(std::move(runtime)),
      options_(options),
      allGather_(std::move(allGather)),
      makePeers_(std::move(makePeers)),
      words_(*runtime_, sizeof(device::Handover)),
      state_(*runtime_, runtime_->allocate(sizeof(device::HandoverState))),
      end_(*reinterpret_cast<device::Handover*>(words_.data())),
      plans_(std::move(plans)),
      lease_(*runtime_, options_.who) {
  const device::HandoverState state{.epoch = kHandoversAtStart, .failed = 0};
  runtime_->write(state_.data(), &state, sizeof(state));
}

/// The thread ends last of what works: streams wait for it, and they end within the time limit.
DeviceRelay::~DeviceRelay() {
  finish();
  disconnect();
}

/// As DeviceGroup's.
void DeviceRelay::finish() noexcept {
  runtime_->finish();
  lease_.end();
  runtime_->finish();
}

DeviceExchanges::View DeviceRelay::view() const {
  View view{runtime_->device(), EnginePolicy::Sm, blocks(), {}};
  view.ranges.reserve(registrations_.size());
  for (const Registration& each : registrations_)
    view.ranges.push_back({each.memory, each.bytes, each.window, "ranks are on several hosts: by way of host memory"});
  return view;
}

void DeviceRelay::disconnect() {
  stop_.store(true);
  if (thread_.joinable()) thread_.join();
  stop_.store(false);
  const std::lock_guard lock(mutex_);
  peers_.reset();
}

/// Once memory of all ranks is good.
void DeviceRelay::connect() {
  Problem mine{};
  try {
    std::unique_ptr<Communicator> made = makePeers_();
    const std::lock_guard lock(mutex_);
    peers_ = std::move(made);
    if (revoked_) peers_->abort();
    thread_ = startThread("exchanges of device memory between hosts", [this] { run(); });
  } catch (const Error& error) {
    mine = problemOf(error.what());
  }
  try {
    agree(gathered(allGather_, mine));
  } catch (...) {
    disconnect();
    throw;
  }
}

const void* DeviceRelay::add(std::byte* pointer, int64_t bytes, bool window) {
  Registration added{.memory = pointer, .bytes = bytes, .window = window, .image = {}};
  Card mine{.window = window};
  try {
    requireRegistrable(*runtime_, pointer, bytes);
    added.image = std::make_shared<HostImage>(*runtime_, bytes);
  } catch (const Error& error) {
    mine.problem = problemOf(error.what());
  }
  const std::vector<Card> cards = gathered(allGather_, mine);
  std::vector<Problem> problems;
  problems.reserve(cards.size());
  for (const Card& card : cards) problems.push_back(card.problem);
  agree(problems);
  requireSameKind(cards);
  if (!peers_) connect();
  added.index = ++registered_;
  images_.add(pointer, bytes, added.image);
  return &registrations_.emplace_back(std::move(added));
}

/// Peers read images by mappings of their own, so there is nothing to wait for; but all count alike.
bool DeviceRelay::remove(const void* handle) {
  const auto found = std::ranges::find_if(registrations_, [&](const Registration& each) { return &each == handle; });
  if (found == registrations_.end()) return false;
  const std::vector<uint64_t> indices = gathered(allGather_, found->index);
  for (size_t rank = 1; rank < indices.size(); ++rank)
    require(indices[rank] == indices[0],
            "handle: rank {} deregisters another range of device memory than rank 0; do it in one order at every rank",
            rank);
  images_.remove(found->image.get());
  registrations_.erase(found);
  return true;
}

DeviceRelay::Relayed* DeviceRelay::find(uint64_t plan) {
  const std::lock_guard lock(mutex_);
  const auto found = relayed_.find(plan);
  return found == relayed_.end() ? nullptr : &found->second;
}

DeviceRelay::Relayed& DeviceRelay::relayedOf(const Call& call) {
  PreparedCall& prepared = plans_.get(call);
  if (Relayed* const known = find(prepared.recordId())) return *known;
  Relayed made{.call = &prepared};
  const Plan& plan = prepared.plan();
  for (int t = 0; t < call.nTensors; ++t) {
    made.inputs.push_back(rowsOf(plan, t, true, placeOf(plan, t, true)));
    made.outputs.push_back(rowsOf(plan, t, false, placeOf(plan, t, false)));
  }
  const std::lock_guard lock(mutex_);
  return relayed_.emplace(prepared.recordId(), std::move(made)).first->second;
}

DeviceRelay::Ends DeviceRelay::endsOf(const std::vector<ShardRows>& rows, const Call& call, bool input) const {
  Ends ends{};
  for (size_t t = 0; t < rows.size(); ++t) {
    const auto [begin, end] = std::pair(rows[t].place.begin, rows[t].place.end);
    if (begin == end) continue;
    const std::byte* const pointer = input ? call.memory.input[t] : call.memory.output[t];
    const auto found = images_.find(pointer + begin, pointer + end);
    if (!found)
      raise(Result::InvalidUsage,
            "tensors[{}].{}: its {} bytes from {} on are not in registered device memory; between hosts inputs and "
            "outputs go through an image in host memory: register both with ulyssesCommRegister at every rank",
            t, input ? "input" : "output", end - begin, static_cast<const void*>(pointer + begin));
    ends[t] = {found->data - begin, found->onDevice - begin};
  }
  return ends;
}

/// All that may be wrong is found before anything is enqueued.
void DeviceRelay::enqueue(const Call& call, PreparedCall&, void* stream) {
  const Relayed& relayed = relayedOf(call);
  const Ends inputs = endsOf(relayed.inputs, call, true), outputs = endsOf(relayed.outputs, call, false);
  device::Order order{.plan = relayed.call->recordId()};
  ShardBatch in(*runtime_, lease_.device(), device::kTilePieces, blocks(), stream);
  for (size_t t = 0; t < relayed.inputs.size(); ++t) {
    order.inputs[t] = inputs[t].data;
    order.outputs[t] = outputs[t].data;
    if (inputs[t].data != nullptr) in.add(relayed.inputs[t], call.memory.input[t], inputs[t].onDevice);
  }
  in.flush();
  handOver(order, stream);
  ShardBatch out(*runtime_, lease_.device(), device::kTilePieces, blocks(), stream,
                 &state_.as<device::HandoverState>()->failed);
  for (size_t t = 0; t < relayed.outputs.size(); ++t)
    if (outputs[t].data != nullptr) out.add(relayed.outputs[t], outputs[t].onDevice, call.memory.output[t]);
  out.flush();
}

int DeviceRelay::blocks() const {
  const int room = runtime_->residentBlocks(false);
  return options_.mostBlocks > 0 ? std::min(room, options_.mostBlocks) : room;
}

void DeviceRelay::handOver(const device::Order& order, void* stream) {
  device::HandoverCall call{.lease = lease_.device(),
                            .step = device::HandoverStep::kPost,
                            .shared = reinterpret_cast<device::Handover*>(words_.onDevice()),
                            .state = state_.as<device::HandoverState>(),
                            .timeoutNs = static_cast<uint64_t>((options_.timeoutMs + kGraceMs) * kNsOfMs),
                            .order = order};
  runtime_->launchHandover(call, stream);
  call.step = device::HandoverStep::kAwait;
  runtime_->launchHandover(call, stream);
}

void DeviceRelay::refuse(Result result, const std::string& text, void* stream) {
  {
    const std::lock_guard lock(mutex_);
    if (refusal_.empty()) refusal_ = text;
  }
  if (peers_) handOver({.refusal = static_cast<uint64_t>(result)}, stream);
}

void DeviceRelay::revoke() noexcept {
  const std::lock_guard lock(mutex_);
  revoked_ = true;
  if (peers_) peers_->abort();
}

std::optional<Cause> DeviceRelay::trouble() const {
  {
    const std::lock_guard lock(mutex_);
    if (cause_) return cause_;
  }
  const auto lost = end_.lost();
  if (!lost) return std::nullopt;
  Cause cause{.result = static_cast<int32_t>(Result::Timeout)};
  cause.sequence = *lost;
  copyText(cause.text, formatText("device exchange {}: this rank's host did not end it within {} ms and {} more; look "
                                  "whether the process is stopped",
                                  *lost, options_.timeoutMs, kGraceMs));
  return cause;
}

void DeviceRelay::run() {
  BackOff backOff;
  while (!stop_.load(std::memory_order_relaxed)) {
    if (const auto order = end_.take()) {
      end_.end(!carryOut(*order));
      backOff.reset();
    } else {
      // What this rank said last may still be on its way: that its call failed, say.
      Exit::instance().unlessPassed([&] { peers_->service(); });
      backOff.wait();
    }
  }
}

/// Whether the exchange went well. After one that did not there is no other: its peers are told.
bool DeviceRelay::carryOut(const device::Order& order) {
  Result result = Result::InternalError;
  std::string text;
  try {
    result = exchange(order, &text);
  } catch (const Error& error) {
    result = error.result();
    text = error.what();
  } catch (const std::exception& error) {
    text = error.what();
  }
  if (result != Result::Success) fail(result, text);
  return result == Result::Success;
}

Result DeviceRelay::exchange(const device::Order& order, std::string* text) {
  const Communicator::Use use(*peers_);
  Exchange& exchange = peers_->exchange();
  const Deadline deadline = Deadline::inMs(options_.timeoutMs);
  Result result = Result::Success;
  if (order.refusal != 0) {
    result = exchange.poison(Operation::ScatterHeads, static_cast<Result>(order.refusal), refusal(), deadline);
  } else {
    uint64_t sequence = 0;
    Relayed& relayed = requireRelayed(order);
    TensorMemory memory{};
    std::ranges::copy(order.inputs, std::begin(memory.input));
    std::ranges::copy(order.outputs, std::begin(memory.output));
    result = exchange.start(*relayed.call, memory, deadline, &sequence);
    if (result == Result::Success) result = exchange.wait(sequence);
  }
  if (result != Result::Success) *text = exchange.lastError();
  return result;
}

std::string DeviceRelay::refusal() const {
  const std::lock_guard lock(mutex_);
  return refusal_;
}

/// A graph may outlive the registration of its tensors.
DeviceRelay::Relayed& DeviceRelay::requireRelayed(const device::Order& order) {
  Relayed* const relayed = find(order.plan);
  if (relayed == nullptr) raise(Result::InternalError, "plan {} is not known", order.plan);
  const auto requireImage = [&](size_t t, const std::byte* pointer, const ShardRows& rows, const char* end) {
    const device::TensorPlace& place = rows.place;
    if (place.begin != place.end && !images_.holdsImage(pointer + place.begin, pointer + place.end))
      raise(Result::InvalidUsage,
            "tensors[{}].{}: its memory was deregistered; keep it registered while exchanges or graphs use it", t, end);
  };
  for (size_t t = 0; t < relayed->inputs.size(); ++t) {
    requireImage(t, order.inputs[t], relayed->inputs[t], "input");
    requireImage(t, order.outputs[t], relayed->outputs[t], "output");
  }
  return *relayed;
}

/// Of the first failure the words are kept, and told to peers that may wait for this rank's next exchange.
void DeviceRelay::fail(Result result, const std::string& text) {
  const std::lock_guard lock(mutex_);
  if (cause_) return;
  Cause& cause = cause_.emplace();
  cause.result = static_cast<int32_t>(result);
  cause.sequence = end_.number();
  copyText(cause.text, formatText("device exchange {}: {}", cause.sequence, text));
  const Communicator::Use use(*peers_);
  peers_->exchange().revoke(isOfAll(result) ? result : Result::RemoteInvalid, text);
}

}  // namespace ulysses
