// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "comm/launch/pmix.h"

#include "base/check.h"

#if defined(ULYSSES_HAVE_PMIX)

#include <dlfcn.h>
#include <pmix.h>
#include <poll.h>
#include <unistd.h>

#include <climits>
#include <memory>

#include "base/text.h"

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

class Pmix : public KeyValue {
 public:
  Pmix() : library_(Library::load()), owner_(getpid()) {
    // The server is on this host; its own limits hold here.
    check(library_.init(&self_, nullptr, 0), "PMIx_Init");
  }
  ~Pmix() override {
    if (getpid() == owner_) library_.finalize(nullptr, 0);
  }

  void publish(const std::string& key, const std::string& value, Deadline /*deadline*/) override {
    std::string copy = value;
    pmix_value_t entry{};
    entry.type = PMIX_STRING;
    entry.data.string = copy.data();
    check(library_.put(PMIX_GLOBAL, key.c_str(), &entry), "PMIx_Put");
    check(library_.commit(), "PMIx_Commit");
  }

  /// The server waits for what a rank has not put there, but only for its first value: ask again for later ones.
  std::string lookUp(const std::string& key, Deadline deadline) override {
    constexpr int kPauseMs = 5;
    pmix_status_t status = PMIX_SUCCESS;
    Value value;
    for (;;) {
      const pmix_info_t timeout = timeoutOf(deadline);
      value = get(0, key.c_str(), &timeout, &status);
      if (status != PMIX_ERR_NOT_FOUND || deadline.passed()) break;
      poll(nullptr, 0, deadline.leftMs(kPauseMs));
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

  PmixJob job() {
    return {number(PMIX_RANK_WILDCARD, PMIX_JOB_SIZE), number(self_.rank, PMIX_LOCAL_RANK),
            number(PMIX_RANK_WILDCARD, PMIX_LOCAL_SIZE)};
  }

 private:
  Value get(pmix_rank_t rank, const char* key, const pmix_info_t* info, pmix_status_t* status) {
    pmix_proc_t from = self_;
    from.rank = rank;
    pmix_value_t* value = nullptr;
    *status = library_.get(&from, key, info, info ? 1 : 0, &value);
    return Value(*status == PMIX_SUCCESS ? value : nullptr);
  }

  int number(pmix_rank_t rank, const char* key) {
    pmix_status_t status = PMIX_SUCCESS;
    const Value value = get(rank, key, nullptr, &status);
    if (!value) return -1;
    if (value->type == PMIX_UINT32) return static_cast<int>(value->data.uint32);
    return value->type == PMIX_UINT16 ? value->data.uint16 : -1;
  }

  void check(pmix_status_t status, const char* call) const {
    if (status == PMIX_SUCCESS) return;
    const char* text = library_.errorString(status);
    raise(Result::SystemError,
          "{} failed: {} ({}); is the launcher alive, and this process one of its own? Else unset PMIX_NAMESPACE and "
          "PMIX_RANK, or use ULYSSES_ROOT",
          call, text ? text : "?", status);
  }

  Library library_;
  pid_t owner_;  // a process forked later is no client
  pmix_proc_t self_{};
};

Pmix& pmix() {
  static Pmix instance;
  return instance;
}

}  // namespace

PmixJob pmixJob() { return pmix().job(); }
KeyValue& pmixKeyValue() { return pmix(); }

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
KeyValue& pmixKeyValue() { raiseNotBuilt(); }

}  // namespace ulysses

#endif
