// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "comm/communicator.h"

#include <unistd.h>

#include <algorithm>
#include <climits>
#include <cstring>
#include <map>

#include "base/check.h"
#include "base/checks.h"
#include "base/log.h"
#include "base/text.h"
#include "base/thread.h"
#include "comm/device_group.h"
#include "comm/device_relay.h"
#include "comm/dump.h"
#include "topo/host.h"

namespace ulysses {
namespace {

/// Registrations are exchanges too; they must not be taken for one of the caller's.
constexpr uint64_t kRegistrationTag = 0x756c797265676973;
constexpr int kGatherings = 8;  // of different sizes
constexpr uint64_t kFirstGathering = uint64_t{1} << 63;

template <typename IsOnDevice>
bool anyOnDevice(const Call& call, IsOnDevice&& isOnDevice) {
  for (int t = 0; t < call.nTensors; ++t)
    for (const std::byte* pointer : {call.memory.input[t], static_cast<const std::byte*>(call.memory.output[t])})
      if (pointer != nullptr && isOnDevice(pointer)) return true;
  return false;
}

void requireHostMemory(const Call& call, const void* stream) {
  if (anyOnDevice(call, [](const void* pointer) { return memoryKindOf(pointer) == MemoryKind::Device; }))
    raise(Result::InvalidUsage,
          "the tensors are GPU memory, of which this communicator knows none (those that it was made of do not count): "
          "register that of the outputs with ulyssesCommRegister at every rank first");
  require(stream == nullptr, "stream: host tensors take no stream, pass NULL");
}

/// Registered memory is remembered; of other memory the driver is asked.
void requireOnDevice(DeviceExchanges& device, const Extent& extent, const std::byte* pointer, int tensor,
                     const char* end) {
  if (extent.begin == extent.end || device.holds(pointer + extent.begin, pointer + extent.end)) return;
  const DeviceRuntime::Memory found = device.runtime().memoryOf(pointer + extent.begin);
  require(found.isUsable(),
          "tensors[{}].{}={}: {}; other tensors of the call are on the GPU, so it must be memory of GPU {} too", tensor,
          end, static_cast<const void*>(pointer), textOf(found), device.runtime().device());
}

/// Kernels and streams would be another GPU's.
void requireCurrent(const DeviceRuntime& runtime) {
  const int current = runtime.currentDevice(), wanted = runtime.device();
  if (current != wanted)
    raise(Result::InvalidUsage,
          "GPU {} is current to this thread, the communicator uses GPU {}: call cudaSetDevice({}), then make the call "
          "again; the peers wait for it",
          current, wanted, wanted);
}

}  // namespace

Communicator::Communicator(Identity identity, Routes routes, Settings settings, Origin origin)
    : rank_(identity.rank),
      nRanks_(identity.nRanks),
      settings_(std::move(settings)),
      routes_(std::move(routes)),
      origin_(std::move(origin)),
      plans_(rank_, settings_.planCacheSize, routes_.hosts, routes_.crossing),
      gatherings_(rank_, kGatherings, routes_.hosts, routes_.crossing, kFirstGathering) {
  exchange_ = std::make_unique<Exchange>(std::move(identity), routes_.byRank, settings_.streamBytes,
                                         routes_.ranksHere <= coresOfHost());
  exchange_->onFailure([this] {
    // Of mismatches the first; the end of the communicator always, in its place.
    if (wroteDump_ && exchange_->revoked() == Result::Success) return;
    writeDumpFile(*exchange_, settings_, routes_.nics, device_.get());
    wroteDump_ = true;
  });
  logState();
  warnOfReplays();
  if (settings_.progressThread) progressThread_ = startThread("progress_thread=1", [this] { runProgress(); });
}

Communicator::~Communicator() {
  stopProgress_.store(true);
  if (progressThread_.joinable()) progressThread_.join();
  if (device_) device_->finish();  // kernels read the plans
  warnOfReplays();
}

void Communicator::logState() const {
  if (!log::shows(log::Level::Info, log::Subsystem::Init) && !log::shows(log::Level::Info, log::Subsystem::Env) &&
      !log::shows(log::Level::Info, log::Subsystem::Path) && !log::shows(log::Level::Info, log::Subsystem::Topo))
    return;
  const std::string who = exchange_->identity().whoText();
  log::info({log::Subsystem::Init, who}, "communicator made");
  log::info({log::Subsystem::Env, who}, "{}", settings_.toText());
  const CacheSizes& caches = cacheSizes();
  log::info({log::Subsystem::Topo, who}, "host {}: {} cores, L2 {} bytes, L3 {} bytes for {} cores",
            exchange_->identity().host, coresOfHost(), caches.l2Bytes, caches.l3Bytes, caches.coresSharingL3);
  std::map<std::string, std::string> peers;  // by path and reason, so that many ranks do not make many lines
  for (int peer = 0; peer < nRanks_; ++peer) {
    const auto [name, reason] = pathTo(peer);
    std::string& list = peers[formatText("{}: {}", name, reason)];
    list += formatText("{}{}", list.empty() ? "" : ", ", peer);
  }
  if (const auto& nics = routes_.nics)
    log::info({log::Subsystem::Path, who}, "network devices {}: {}{}", joinedNames(nics->nics), nics->reason,
              nics->isRestricted() ? "; UCX may use " + joinedNames(nics->allowed) : "");
  for (const auto& [path, list] : peers) log::info({log::Subsystem::Path, who}, "to rank {} by {}", list, path);
}

std::pair<std::string, std::string> Communicator::pathTo(int peer) const {
  if (peer == rank_) return {"self", "this rank"};
  const Path& path = *routes_.byRank[static_cast<size_t>(peer)];
  return {std::string(path.name()), path.reasonFor(peer)};
}

const Path* Communicator::revokedPath() const {
  const auto at = std::ranges::find_if(routes_.paths, [](const auto& path) { return path->isRevoked(); });
  return at == routes_.paths.end() ? nullptr : at->get();
}

Communicator::Use::Use(Communicator& comm)
    : comm_(comm), entered_(!comm.inUse_.exchange(true, std::memory_order_acquire)) {
  if (entered_ && comm_.settings_.progressThread) lock_ = std::unique_lock(comm_.progressMutex_);
}

Communicator::Use::~Use() {
  if (!entered_) return;
  comm_.outstanding_.store(comm_.exchange_->outstanding(), std::memory_order_relaxed);
  comm_.inUse_.store(false, std::memory_order_release);
}

bool Communicator::repeats(Operation operation, const CallBytes& bytes) const {
  const auto same = [](const std::vector<std::byte>& a, std::span<const std::byte> b) {
    return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size()) == 0;
  };
  return last_.prepared && last_.prepared->plan().operation() == operation && !bytes.geometry.empty() &&
         same(last_.geometry, bytes.geometry) && same(last_.tensors, bytes.tensors);
}

Deadline Communicator::deadline() const {
  return kChecks ? Deadline::inMsCoarse(settings_.timeoutMs) : Deadline::never();
}

Result Communicator::startAgain(uint64_t* sequence) {
  return exchange_->start(*last_.prepared, last_.memory, deadline(), sequence);
}

void Communicator::remember(PreparedCall& prepared, const TensorMemory& memory, const CallBytes& bytes) {
  last_.geometry.assign(bytes.geometry.begin(), bytes.geometry.end());
  last_.tensors.assign(bytes.tensors.begin(), bytes.tensors.end());
  last_.memory = memory;
  last_.prepared = &prepared;
}

Result Communicator::start(const Call& call, const CallBytes& bytes, void* stream, uint64_t* sequence) {
  last_.prepared = nullptr;
  return isOnDevice(call) ? enqueue(call, stream) : startOnHost(plans_, call, bytes, stream, sequence);
}

bool Communicator::isOnDevice(const Call& call) const {
  if (!device_) return false;
  return anyOnDevice(call, [this](const std::byte* pointer) { return device_->holds(pointer, pointer + 1); }) ||
         anyOnDevice(call, [this](const void* pointer) { return device_->runtime().memoryOf(pointer).onDevice; });
}

Result Communicator::refuse(const Call& known, Result result, const std::string& text, void* stream) {
  // Where no tensor can be looked at, a stream tells: host tensors take none.
  const bool onDevice = isOnDevice(known) || (device_ && known.nTensors == 0 && stream != nullptr);
  return onDevice ? refuseOnDevice(result, text, stream) : poison(known.operation, result, text);
}

Result Communicator::startOnHost(PlanCache& plans, const Call& call, const CallBytes& bytes, void* stream,
                                 uint64_t* sequence) {
  try {
    PreparedCall& prepared = plans.get(call);
    if (!prepared.sawMemory || stream != nullptr) requireHostMemory(call, stream);
    prepared.sawMemory = true;
    requireMemory(prepared, call.memory);
    remember(prepared, call.memory, bytes);
    return exchange_->start(prepared, call.memory, deadline(), sequence);
  } catch (const Error& error) {
    return poison(call.operation, error.result(), error.what(), reproductionOf(call));
  } catch (const std::bad_alloc&) {
    return poison(call.operation, Result::OutOfMemory, "out of memory while the call was planned");
  } catch (const std::exception& error) {
    return poison(call.operation, Result::InternalError, error.what());
  }
}

Result Communicator::enqueue(const Call& call, void* stream) {
  std::pair<Result, std::string> failure;
  try {
    enqueueChecked(call, stream);
    return Result::Success;
  } catch (const Error& error) {
    failure = {error.result(), error.what()};
  } catch (const std::bad_alloc&) {
    failure = {Result::OutOfMemory, "out of memory while the call was planned"};
  }
  return refuseOnDevice(failure.first, failure.second, stream);
}

Result Communicator::refuseOnDevice(Result result, const std::string& text, void* stream) {
  exchange_->noteError(text);
  // Where another GPU is current the call was not made at all.
  const DeviceRuntime& runtime = device_->runtime();
  if (!device_->trouble() && runtime.currentDevice() == runtime.device()) device_->refuse(result, text, stream);
  return result;
}

void Communicator::enqueueChecked(const Call& call, void* stream) {
  warnOfReplays();
  if (const auto trouble = device_->trouble()) throw Error(static_cast<Result>(trouble->result), trouble->text);
  requireCurrent(device_->runtime());
  PreparedCall& prepared = plans_.get(call);
  requireMemory(prepared, call.memory);
  for (int t = 0; t < call.nTensors; ++t) {
    requireOnDevice(*device_, prepared.inputExtent(t), call.memory.input[t], t, "input");
    requireOnDevice(*device_, prepared.outputExtent(t), call.memory.output[t], t, "output");
  }
  device_->enqueue(call, prepared, stream);
}

/// By an exchange of our own: a KV head that all share, a token of each rank. So it has a deadline, and a rank that
/// makes another call meanwhile is told apart.
std::vector<std::byte> Communicator::allGather(std::span<const std::byte> mine) {
  std::vector<std::byte> all(mine.size() * static_cast<size_t>(nRanks_));
  Call call;
  call.geometry.nRanks = nRanks_;
  call.geometry.sequence = nRanks_;
  call.geometry.heads = nRanks_;
  call.geometry.kvHeads = 1;
  call.geometry.tag = kRegistrationTag;
  call.nTensors = 1;
  call.tensors[0].kind = TensorKind::Kv;
  call.tensors[0].type = DataType::U8;
  call.tensors[0].headDim = std::ssize(mine);
  call.memory.input[0] = mine.data();
  call.memory.output[0] = all.data();
  uint64_t sequence = 0;
  Result result = startOnHost(gatherings_, call, {}, nullptr, &sequence);
  if (result == Result::Success) result = exchange_->wait(sequence);
  if (result != Result::Success) throw Error(result, exchange_->lastError());
  return all;
}

std::unique_ptr<DeviceExchanges> Communicator::makeDeviceExchanges() {
  const AllGather all = [this](std::span<const std::byte> mine) { return allGather(mine); };
  if (routes_.ranksHere != nRanks_) return makeRelay(all);
  return std::make_unique<DeviceGroup>(
      makeDeviceRuntime(), rank_, nRanks_,
      DeviceGroup::Options{.timeoutMs = settings_.timeoutMs,
                           .policy = settings_.gpuEngine,
                           .mostBlocks = static_cast<int>(settings_.gpuBlocks),
                           .who = exchange_->identity().whoText(),
                           .path = routes_.paths.empty() ? nullptr : routes_.paths.front().get()},
      all);
}

/// Where some ranks are on other hosts. Its plans are of the same ranks and hosts as this communicator's.
std::unique_ptr<DeviceExchanges> Communicator::makeRelay(AllGather allGather) {
  return std::make_unique<DeviceRelay>(makeDeviceRuntime(), PlanCache(rank_, INT_MAX, routes_.hosts, routes_.crossing),
                                       DeviceRelay::Options{.timeoutMs = settings_.timeoutMs,
                                                            .mostBlocks = static_cast<int>(settings_.gpuBlocks),
                                                            .who = exchange_->identity().whoText()},
                                       std::move(allGather), [this] {
                                         Settings settings = settings_;
                                         settings.name = exchange_->identity().name + "+gpu";
                                         return regroup({.color = 0, .key = rank_}, settings);
                                       });
}

const void* Communicator::registerDevice(std::byte* pointer, int64_t bytes, bool window) {
  warnOfReplays();
  try {
    if (!device_) {
      device_ = makeDeviceExchanges();
      sharedDevice_.store(device_.get(), std::memory_order_release);
    }
  } catch (const Error& error) {
    static_cast<void>(poison(Operation::ScatterHeads, error.result(), error.what()));  // the peers are gathering
    throw;
  }
  return device_->add(pointer, bytes, window);
}

Result Communicator::poison(Operation operation, Result result, const std::string& text,
                            const std::string& reproduction) {
  return exchange_->poison(operation, result, text, deadline(), reproduction);
}

std::string Communicator::dump() const { return dumpOf(*exchange_, settings_, routes_.nics, device_.get()); }

void Communicator::service() noexcept {
  for (const auto& path : routes_.paths) path->service();
}

std::optional<std::string> Communicator::lostPeer() {
  for (int peer = 0; peer < nRanks_; ++peer) {
    if (peer == rank_) continue;
    if (const auto reason = routes_.byRank[static_cast<size_t>(peer)]->lost(peer))
      return formatText("rank {} was lost: {}", peer, *reason);
  }
  return std::nullopt;
}

void Communicator::abort() {
  Cause cause{.result = static_cast<int32_t>(Result::Aborted), .rank = -1, .sequence = 0};
  copyText(cause.text,
           formatText("rank {} (pid {}) aborted communicator {}", rank_, getpid(), exchange_->identity().name));
  for (const auto& path : routes_.paths) path->revoke(cause);
  if (DeviceExchanges* const device = sharedDevice_.load(std::memory_order_acquire)) device->revoke();
}

std::optional<Cause> Communicator::deviceTrouble() const {
  const DeviceExchanges* const device = sharedDevice_.load(std::memory_order_acquire);
  return device != nullptr ? device->trouble() : std::nullopt;
}

Result Communicator::asyncError() const {
  warnOfReplays();
  if (const Path* path = revokedPath()) return static_cast<Result>(path->cause().result);
  if (const auto trouble = deviceTrouble()) return static_cast<Result>(trouble->result);
  return outstanding_.load(std::memory_order_relaxed) ? Result::InProgress : Result::Success;
}

std::string Communicator::lastError() const {
  const std::lock_guard lock(errorMutex_);
  if (const Path* path = revokedPath()) return textOf(path->cause(), rank_) + unheard_;
  if (const auto trouble = deviceTrouble()) return trouble->text;
  return lastError_;
}

/// "", or that the choice of network devices may be why a peer was lost or is silent.
std::string Communicator::unheardText(Result result) const {
  const bool isNetworks = result == Result::RemoteLost || result == Result::Timeout;
  if (!isNetworks || !routes_.nics || !routes_.nics->isRestricted()) return "";
  for (int peer = 0; peer < nRanks_; ++peer) {
    const Path* path = routes_.byRank[static_cast<size_t>(peer)];
    if (!path || path->name() != "ucx" || path->lastSequence(peer) > 0) continue;
    return formatText(
        "; this rank never heard rank {} by its network devices {} ({}): where these do not reach that host, set "
        "ULYSSES_NET_DEVICES=any at all ranks, or name others",
        peer, joinedNames(routes_.nics->allowed), routes_.nics->reason);
  }
  return "";
}

std::string Communicator::rememberFailure(Result result) {
  const std::string text = exchange_->lastError(), unheard = unheardText(result);
  const std::lock_guard lock(errorMutex_);
  unheard_ = unheard;
  return lastError_ = text + unheard;
}

/// A step of the opt-in thread; whether there is something to do at once.
bool Communicator::progress(Waiter& waiter) {
  const bool any = exchange_->outstanding();
  try {
    if (any && exchange_->advance())
      waiter.reset();
    else if (any)
      exchange_->idle(waiter, false);
  } catch (const std::exception&) {
    return false;  // out of memory while a failure was put into words, say: the caller's own turn will tell it
  }
  outstanding_.store(exchange_->outstanding(), std::memory_order_relaxed);
  return any;
}

/// The opt-in thread: takes turns with the caller, a step at a time.
void Communicator::runProgress() {
  constexpr int kIdleUs = 200;
  Waiter waiter;
  while (!stopProgress_.load(std::memory_order_relaxed)) {
    bool any = false;
    {
      const std::lock_guard lock(progressMutex_);
      any = progress(waiter);
    }
    if (!any) {
      waiter.reset();
      usleep(kIdleUs);
    } else {
      sched_yield();  // lets a caller that waits for the lock have it
    }
  }
}

}  // namespace ulysses
