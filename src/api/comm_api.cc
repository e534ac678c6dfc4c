// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include <cstring>

#include "api/handle.h"
#include "api/translate.h"
#include "base/env.h"
#include "base/text.h"
#include "comm/launch/launched.h"
#include "path/cuda/launch_lease.h"

namespace ulysses::api {

std::string& threadError() {
  thread_local std::string text;
  return text;
}

HandleTable::Reference requireComm(uint64_t id) {
  require(id != 0, "comm is NULL");
  HandleTable::Reference comm = HandleTable::instance().find(id);
  if (!comm) {
    warnOfReplays();
    raise(Result::InvalidUsage,
          "comm {:#x} is not a communicator: it was destroyed or aborted before, never made, or made before this "
          "process was forked off (a child makes its own)",
          id);
  }
  return comm;
}

namespace {

Settings translateConfig(const ulyssesConfig_t* config) {
  Settings settings;
  settings.libraryVersion = ULYSSES_VERSION_CODE;
  if (!config) return settings;
  require(config->magic == ULYSSES_CONFIG_MAGIC, "config.magic={:#x}: start from ULYSSES_CONFIG_INITIALIZER",
          config->magic);
  require(config->size == sizeof(ulyssesConfig_t) && config->version == ULYSSES_CONFIG_VERSION,
          "config.size={} version={}: this library knows size {} version {}; build against its header", config->size,
          config->version, sizeof(ulyssesConfig_t), ULYSSES_CONFIG_VERSION);
  require(config->progress_thread == 0 || config->progress_thread == 1, "config.progress_thread={}: want 0 or 1",
          config->progress_thread);
  for (const int64_t value : config->reserved)
    require(value == 0, "config.reserved: not 0; start from ULYSSES_CONFIG_INITIALIZER");
  settings.timeoutMs = config->timeout_ms;
  settings.initTimeoutMs = config->init_timeout_ms;
  settings.stagingBytes = config->staging_bytes;
  settings.planCacheSize = config->plan_cache_size;
  settings.progressThread = config->progress_thread == 1;
  if (config->name) settings.name.assign(config->name, strnlen(config->name, 31));
  return settings;
}

constexpr int kMostRanks = 1 << 16;

UniqueId translateId(const ulyssesUniqueId_t* id) {
  require(id != nullptr, "id is NULL");
  UniqueId out;
  std::memcpy(static_cast<void*>(&out), id, sizeof out);
  require(out.magic == UniqueId::kMagic && out.wireVersion == kBootstrapVersion,
          "id: not from this library version's ulyssesGetUniqueId; pass all {} bytes unchanged", sizeof out);
  return out;
}

Result initRank(ulyssesComm_t* comm, int nRanks, const ulyssesUniqueId_t* id, int rank, const ulyssesConfig_t* config) {
  require(comm != nullptr, "comm is NULL");
  *comm = nullptr;
  require(nRanks >= 1 && nRanks <= kMostRanks, "nRanks={}: want 1..{}", nRanks, kMostRanks);
  require(rank >= 0 && rank < nRanks, "rank={}: want 0..{}", rank, nRanks - 1);
  *comm = handleOf(
      HandleTable::instance().add(Communicator::create(translateId(id), nRanks, rank, translateConfig(config))));
  return Result::Success;
}

Result initAll(ulyssesComm_t* comms, int nRanks, const ulyssesConfig_t* config) {
  require(comms != nullptr, "comms is NULL");
  require(nRanks >= 1 && nRanks <= kMostRanks, "nRanks={}: want 1..{}", nRanks, kMostRanks);
  std::fill_n(comms, nRanks, nullptr);
  auto made = Communicator::createAll(nRanks, translateConfig(config));
  for (int rank = 0; rank < nRanks; ++rank)
    comms[rank] = handleOf(HandleTable::instance().add(std::move(made[static_cast<size_t>(rank)])));
  return Result::Success;
}

Result getLauncher(ulyssesLauncher_t* launcher) {
  require(launcher != nullptr, "launcher is NULL");
  *launcher = {};
  const Launcher found = requireLauncher();
  copyText(launcher->name, found.name);
  launcher->rank = found.rank;
  launcher->nRanks = found.nRanks;
  launcher->localRank = found.localRank;
  launcher->localRanks = found.localRanks;
  return Result::Success;
}

Result initLauncher(ulyssesComm_t* comm, const ulyssesConfig_t* config) {
  require(comm != nullptr, "comm is NULL");
  *comm = nullptr;
  *comm = handleOf(HandleTable::instance().add(createLaunched(translateConfig(config))));
  return Result::Success;
}

Settings settingsLike(const Communicator& comm, const ulyssesConfig_t* config) {
  if (config) return translateConfig(config);
  Settings settings = comm.settings();
  settings.name.clear();
  return settings;
}

Result regroup(uint64_t id, const Regroup::Wish& wish, ulyssesComm_t* newComm, const ulyssesConfig_t* config) {
  return withComm(id, [&](Communicator& comm) {
    if (auto made = comm.regroup(wish, settingsLike(comm, config)))
      *newComm = handleOf(HandleTable::instance().add(std::move(made)));
    return Result::Success;
  });
}

Result split(uint64_t id, int color, int key, ulyssesComm_t* newComm, const ulyssesConfig_t* config) {
  require(newComm != nullptr, "newComm is NULL");
  *newComm = nullptr;
  require(color >= ULYSSES_SPLIT_NOCOLOR, "color={}: want 0 or more, or ULYSSES_SPLIT_NOCOLOR", color);
  return regroup(id, {.color = color, .key = key}, newComm, config);
}

Result shrink(uint64_t id, const int* excluded, int nExcluded, ulyssesComm_t* newComm, const ulyssesConfig_t* config) {
  require(newComm != nullptr, "newComm is NULL");
  *newComm = nullptr;
  require(nExcluded >= 0, "nExcluded={}: want 0 or more", nExcluded);
  require(excluded != nullptr || nExcluded == 0, "excluded is NULL, nExcluded={}", nExcluded);
  const HandleTable::Reference comm = requireComm(id);
  Regroup::Wish wish;
  wish.toleratesLosses = true;
  for (int i = 0; i < nExcluded; ++i) {
    require(excluded[i] >= 0 && excluded[i] < comm->nRanks(), "excluded[{}]={}: want 0..{}", i, excluded[i],
            comm->nRanks() - 1);
    require(excluded[i] != comm->rank(), "excluded[{}]={} is this rank: a rank that is left out does not call", i,
            excluded[i]);
    wish.excluded.push_back(excluded[i]);
  }
  return regroup(id, wish, newComm, config);
}

std::string lastErrorOf(uint64_t id) {
  const HandleTable::Reference comm = HandleTable::instance().find(id);
  return comm ? comm->lastError() : "not a communicator (any more)";
}

constexpr int64_t kAbortMs = 900;  // promised: within a second

/// Destroy is for a communicator that nobody is using; abort is for one that somebody may be stuck in.
Result destroy(uint64_t id) {
  {
    const HandleTable::Reference comm = requireComm(id);
    const Communicator::Use use(*comm);
    if (!use)
      raise(Result::InvalidUsage, "communicator is in use by another thread: wait for it, or call ulyssesCommAbort");
  }
  const auto gone = HandleTable::instance().remove(id, Deadline::inMs(kAbortMs));
  if (!gone) raise(Result::InvalidUsage, "comm was destroyed or used by another thread at the same time");
  return Result::Success;
}

Result abort(uint64_t id) {
  requireComm(id)->abort();
  HandleTable::instance().remove(id, Deadline::inMs(kAbortMs));
  return Result::Success;
}

}  // namespace
}  // namespace ulysses::api

using namespace ulysses;
using namespace ulysses::api;

extern "C" {

ulyssesResult_t ulyssesGetVersion(int* version) {
  return guard([&] {
    require(version != nullptr, "version is NULL");
    *version = ULYSSES_VERSION_CODE;
    return Result::Success;
  });
}

const char* ulyssesGetErrorString(ulyssesResult_t result) { return textOf(static_cast<Result>(numberOf(result))); }

const char* ulyssesGetLastError(ulyssesComm_t comm) {
  thread_local std::string text;
  try {
    text = comm == nullptr ? threadError() : lastErrorOf(idOf(comm));
    return text.c_str();  // NOLINT(clang-analyzer-cplusplus.InnerPointer): lives until this thread's next call
  } catch (...) {
    return "";
  }
}

ulyssesResult_t ulyssesGetUniqueId(ulyssesUniqueId_t* id) {
  return guard([&] {
    require(id != nullptr, "id is NULL");
    const char* interface = env::text("ULYSSES_INTERFACE");
    const UniqueId made = openRendezvous(interface ? interface : kLoopback);
    std::memcpy(id, &made, sizeof made);
    return Result::Success;
  });
}

ulyssesResult_t ulyssesCommInitRank(ulyssesComm_t* comm, int nRanks, const ulyssesUniqueId_t* id, int rank) {
  return guard([&] { return initRank(comm, nRanks, id, rank, nullptr); });
}

ulyssesResult_t ulyssesCommInitRankConfig(ulyssesComm_t* comm, int nRanks, const ulyssesUniqueId_t* id, int rank,
                                          const ulyssesConfig_t* config) {
  return guard([&] { return initRank(comm, nRanks, id, rank, config); });
}

ulyssesResult_t ulyssesGetLauncher(ulyssesLauncher_t* launcher) {
  return guard([&] { return getLauncher(launcher); });
}

ulyssesResult_t ulyssesCommInitLauncher(ulyssesComm_t* comm, const ulyssesConfig_t* config) {
  return guard([&] { return initLauncher(comm, config); });
}

ulyssesResult_t ulyssesCommInitAll(ulyssesComm_t* comms, int nRanks, const ulyssesConfig_t* config) {
  return guard([&] { return initAll(comms, nRanks, config); });
}

ulyssesResult_t ulyssesCommSplit(ulyssesComm_t comm, int color, int key, ulyssesComm_t* newComm,
                                 const ulyssesConfig_t* config) {
  return guard([&] { return split(idOf(comm), color, key, newComm, config); });
}

ulyssesResult_t ulyssesCommShrink(ulyssesComm_t comm, const int* excluded, int nExcluded, ulyssesComm_t* newComm,
                                  const ulyssesConfig_t* config) {
  return guard([&] { return shrink(idOf(comm), excluded, nExcluded, newComm, config); });
}

ulyssesResult_t ulyssesCommCount(ulyssesComm_t comm, int* nRanks) {
  return guard([&] {
    require(nRanks != nullptr, "nRanks is NULL");
    *nRanks = requireComm(idOf(comm))->nRanks();
    return Result::Success;
  });
}

ulyssesResult_t ulyssesCommUserRank(ulyssesComm_t comm, int* rank) {
  return guard([&] {
    require(rank != nullptr, "rank is NULL");
    *rank = requireComm(idOf(comm))->rank();
    return Result::Success;
  });
}

ulyssesResult_t ulyssesCommDestroy(ulyssesComm_t comm) {
  return guard([&] { return destroy(idOf(comm)); });
}

ulyssesResult_t ulyssesCommAbort(ulyssesComm_t comm) {
  return guard([&] { return abort(idOf(comm)); });
}

ulyssesResult_t ulyssesCommGetAsyncError(ulyssesComm_t comm, ulyssesResult_t* asyncError) {
  return guard([&] {
    require(asyncError != nullptr, "asyncError is NULL");
    *asyncError = toPublic(requireComm(idOf(comm))->asyncError());
    return Result::Success;
  });
}

ulyssesResult_t ulyssesCommDump(ulyssesComm_t comm, char* text, size_t bytes, size_t* needed) {
  return guard([&] {
    require(text != nullptr || bytes == 0, "text is NULL, bytes={}", bytes);
    return withComm(idOf(comm), [&](const Communicator& used) {
      const std::string dump = used.dump();
      if (needed) *needed = dump.size() + 1;
      if (bytes == 0) return Result::Success;
      const size_t length = std::min(bytes - 1, dump.size());
      std::memcpy(text, dump.data(), length);
      text[length] = '\0';
      return Result::Success;
    });
  });
}

ulyssesResult_t ulyssesCommGetPath(ulyssesComm_t comm, int peer, ulyssesPathInfo_t* info) {
  return guard([&] {
    require(info != nullptr, "info is NULL");
    const HandleTable::Reference found = requireComm(idOf(comm));
    require(peer >= 0 && peer < found->nRanks(), "peer={}: want 0..{}", peer, found->nRanks() - 1);
    const auto [name, reason] = found->pathTo(peer);
    copyText(info->path, name);
    copyText(info->reason, reason);
    return Result::Success;
  });
}

ulyssesResult_t ulyssesGetEnvironmentVariable(int index, ulyssesEnvironmentVariable_t* variable) {
  return guard([&] {
    require(variable != nullptr, "variable is NULL");
    const auto table = env::table();
    require(index >= 0 && index < std::ssize(table), "index={}: want 0..{}", index, std::ssize(table) - 1);
    const env::Variable& found = table[static_cast<size_t>(index)];
    *variable = {found.name, found.defaultText, found.values, found.help};
    return Result::Success;
  });
}

}  // extern "C"
