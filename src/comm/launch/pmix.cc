// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "comm/launch/pmix.h"

#include "base/check.h"

#if defined(ULYSSES_HAVE_PMIX)

#include <dlfcn.h>
#include <pmix.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <climits>
#include <functional>
#include <future>
#include <memory>
#include <tuple>

#include "base/text.h"
#include "base/thread.h"

namespace ulysses {
namespace {

constexpr const char* kLibrary = "libpmix.so.2";
constexpr const char* kRemedy = "install it (Debian: libpmix2), or let ranks meet at ULYSSES_ROOT instead";

/// The functions that we use. Loaded once and never unloaded: it has threads of its own.
struct Library {
  decltype(&PMIx_Init) init;
  decltype(&PMIx_Finalize) finalize;
  decltype(&PMIx_Put) put;
  decltype(&PMIx_Commit) commit;
  decltype(&PMIx_Get) get;
  decltype(&PMIx_Error_string) errorString;

  static Library load() {
    void* handle = dlopen(kLibrary, RTLD_NOW | RTLD_LOCAL);
    if (!handle) {
      const char* why = dlerror();
      raise(Result::NotSupported, "the launcher of this process is reached by PMIx, and {} cannot be loaded ({}); {}",
            kLibrary, why ? why : "no reason given", kRemedy);
    }
    Library library{};
    find(handle, "PMIx_Init", library.init);
    find(handle, "PMIx_Finalize", library.finalize);
    find(handle, "PMIx_Put", library.put);
    find(handle, "PMIx_Commit", library.commit);
    find(handle, "PMIx_Get", library.get);
    find(handle, "PMIx_Error_string", library.errorString);
    return library;
  }

 private:
  template <typename Function>
  static void find(void* handle, const char* name, Function& function) {
    function = reinterpret_cast<Function>(dlsym(handle, name));
    if (!function) raise(Result::NotSupported, "{} has no {}; {}", kLibrary, name, kRemedy);
  }
};

/// What PMIx_Get hands out is malloc'ed; of the types that we ask for only a string owns more.
struct FreeValue {
  void operator()(pmix_value_t* value) const {
    if (value->type == PMIX_STRING) std::free(value->data.string);
    std::free(value);
  }
};
using Value = std::unique_ptr<pmix_value_t, FreeValue>;

pmix_info_t timeoutOf(Deadline deadline) {
  constexpr int kMsPerS = 1000;
  pmix_info_t info{};
  copyText(info.key, PMIX_TIMEOUT);
  info.value.type = PMIX_INT;
  info.value.data.integer = deadline.leftMs(INT_MAX - kMsPerS) / kMsPerS + 1;
  return info;
}

/// What a call into PMIx needs, alive as long as the call.
struct Client {
  Library library = Library::load();
  pmix_proc_t self{};

  std::pair<pmix_status_t, Value> get(pmix_rank_t rank, const char* key, const pmix_info_t* info) const {
    pmix_proc_t from = self;
    from.rank = rank;
    pmix_value_t* value = nullptr;
    const pmix_status_t status = library.get(&from, key, info, info ? 1 : 0, &value);
    return {status, Value(status == PMIX_SUCCESS ? value : nullptr)};
  }
};

class Pmix : public KeyValue {
 public:
  explicit Pmix(Deadline deadline) : client_(std::make_shared<Client>()), owner_(getpid()) {
    check(within(deadline, "PMIx_Init", [client = client_] { return client->library.init(&client->self, nullptr, 0); }),
          "PMIx_Init");
  }
  ~Pmix() override {
    constexpr int kFarewellMs = 2000;
    if (getpid() != owner_ || broken_) return;
    try {
      within(Deadline::inMs(kFarewellMs), "PMIx_Finalize",
             [client = client_] { return client->library.finalize(nullptr, 0); });
    } catch (const std::exception&) {  // the launcher is gone or hangs
    }
  }

  void publish(const std::string& key, const std::string& value, Deadline deadline) override {
    const auto put = [client = client_, key, copy = value]() mutable {
      pmix_value_t entry{};
      entry.type = PMIX_STRING;
      entry.data.string = copy.data();
      const pmix_status_t status = client->library.put(PMIX_GLOBAL, key.c_str(), &entry);
      return status == PMIX_SUCCESS ? client->library.commit() : status;
    };
    check(within(deadline, "PMIx_Put and PMIx_Commit", put), "PMIx_Put or PMIx_Commit");
  }

  /// The server waits for what a rank has not put there, but only for its first value: ask again for later ones.
  std::string lookUp(const std::string& key, Deadline deadline) override {
    constexpr int kFirstPauseMs = 2, kLongestPauseMs = 100;
    pmix_status_t status = PMIX_SUCCESS;
    Value value;
    for (int pauseMs = kFirstPauseMs;; pauseMs = std::min(2 * pauseMs, kLongestPauseMs)) {
      std::tie(status, value) = ask(key, deadline);
      if (status != PMIX_ERR_NOT_FOUND || deadline.passed()) break;
      poll(nullptr, 0, deadline.leftMs(pauseMs));
    }
    if (status == PMIX_ERR_TIMEOUT || (status == PMIX_ERR_NOT_FOUND && deadline.passed()))
      raise(Result::Timeout,
            "rank 0 left no id at the launcher (PMIx) before the deadline; look why it did not start or make a "
            "communicator, or raise init_timeout_ms (ULYSSES_INIT_TIMEOUT_MS)");
    check(status, "PMIx_Get of what rank 0 left");
    if (!value || value->type != PMIX_STRING || !value->data.string)
      raise(Result::SystemError, "PMIx has a value of rank 0 that is no text");
    return value->data.string;
  }

  /// Known at this process since PMIx_Init: nobody is waited for.
  PmixJob job() const {
    return {number(PMIX_RANK_WILDCARD, PMIX_JOB_SIZE), number(client_->self.rank, PMIX_LOCAL_RANK),
            number(PMIX_RANK_WILDCARD, PMIX_LOCAL_SIZE)};
  }

 private:
  /// The server's own timeout comes first, and says more; ours is for a server that hangs.
  std::pair<pmix_status_t, Value> ask(const std::string& key, Deadline deadline) {
    constexpr int kGraceMs = 2000;
    const auto answer = std::make_shared<Value>();
    const auto get = [client = client_, key, answer, timeout = timeoutOf(deadline)] {
      auto [status, value] = client->get(0, key.c_str(), &timeout);
      *answer = std::move(value);
      return status;
    };
    const pmix_status_t status =
        within(Deadline::inMs(deadline.leftMs(INT_MAX - kGraceMs) + kGraceMs), "PMIx_Get", get);
    return {status, std::move(*answer)};
  }

  int number(pmix_rank_t rank, const char* key) const {
    const auto [status, value] = client_->get(rank, key, nullptr);
    if (!value) return -1;
    if (value->type == PMIX_UINT32) return static_cast<int>(value->data.uint32);
    return value->type == PMIX_UINT16 ? value->data.uint16 : -1;
  }

  /// PMIx waits without end for a server that hangs: each call has a thread, which is left behind then.
  pmix_status_t within(Deadline deadline, const char* name, std::function<pmix_status_t()> call) {
    if (broken_) raise(Result::SystemError, "the launcher's PMIx did not answer before; end this process");
    std::packaged_task<pmix_status_t()> task(std::move(call));
    std::future<pmix_status_t> result = task.get_future();
    startThread("a call of PMIx", std::move(task)).detach();
    if (result.wait_for(std::chrono::milliseconds(deadline.leftMs(INT_MAX))) == std::future_status::ready)
      return result.get();
    broken_ = true;
    raise(Result::Timeout, "{} did not return before the deadline: the launcher's PMIx server hangs or is stopped",
          name);
  }

  void check(pmix_status_t status, const char* call) const {
    if (status == PMIX_SUCCESS) return;
    const char* text = client_->library.errorString(status);
    raise(Result::SystemError,
          "{} failed: {} ({}); is the launcher alive, and this process one of its own? Else unset PMIX_NAMESPACE and "
          "PMIX_RANK, or use ULYSSES_ROOT",
          call, text ? text : "?", status);
  }

  std::shared_ptr<Client> client_;
  pid_t owner_;  // a process forked later is no client
  bool broken_ = false;
};

Pmix& pmix(Deadline deadline) {
  static Pmix instance(deadline);
  return instance;
}

}  // namespace

PmixJob pmixJob() {
  constexpr int64_t kLocalServerMs = 30'000;
  return pmix(Deadline::inMs(kLocalServerMs)).job();
}
KeyValue& pmixKeyValue(Deadline deadline) { return pmix(deadline); }

}  // namespace ulysses

#else

namespace ulysses {
namespace {

[[noreturn]] void raiseNotBuilt() {
  raise(Result::NotSupported,
        "the launcher of this process is reached by PMIx, and this library was built without it (Meson option pmix; "
        "Debian: libpmix-dev); rebuild it, or let ranks meet at ULYSSES_ROOT");
}

}  // namespace

PmixJob pmixJob() { raiseNotBuilt(); }
KeyValue& pmixKeyValue(Deadline /*deadline*/) { raiseNotBuilt(); }

}  // namespace ulysses

#endif
