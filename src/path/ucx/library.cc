// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "path/ucx/library.h"

#include <dlfcn.h>

#include <array>
#include <csignal>

#include "base/check.h"
#include "base/log.h"

namespace ulysses {
namespace {

constexpr const char* kSoname = "libucp.so.0";

/// Puts back the handlers of the signals that UCX by default takes.
class KeptHandlers {
 public:
  KeptHandlers() {
    for (size_t i = 0; i < kSignals.size(); ++i) sigaction(kSignals[i], nullptr, &before_[i]);
  }
  ~KeptHandlers() {
    for (size_t i = 0; i < kSignals.size(); ++i) sigaction(kSignals[i], &before_[i], nullptr);
  }

 private:
  static constexpr std::array kSignals{SIGILL, SIGSEGV, SIGBUS, SIGFPE};
  std::array<struct sigaction, kSignals.size()> before_;
};

UcxLibrary load() {
  const KeptHandlers kept;
  void* const handle = dlopen(kSoname, RTLD_NOW | RTLD_LOCAL);
  if (!handle)
    raise(Result::NotSupported,
          "exchanges between hosts need UCX, and {} cannot be loaded ({}): install it (Debian: libucx0; or pip install "
          "libucx-cu13) or name its folder in LD_LIBRARY_PATH",
          kSoname, dlerror());
  UcxLibrary library;
#define ULYSSES_UCX_LOOK_UP(name)                                    \
  if (void* const symbol = dlsym(handle, #name))                     \
    library.name = reinterpret_cast<decltype(library.name)>(symbol); \
  else                                                               \
    raise(Result::NotSupported, "{} has no {}: this UCX is too old, 1.13 or later is needed", kSoname, #name);
  ULYSSES_UCX_FUNCTIONS(ULYSSES_UCX_LOOK_UP)
#undef ULYSSES_UCX_LOOK_UP
  log::info(log::Subsystem::Path, "{} loaded", library.versionText());
  return library;
}

}  // namespace

const UcxLibrary& UcxLibrary::get() {
  static const UcxLibrary library = load();
  return library;
}

std::string UcxLibrary::versionText() const { return formatText("UCX {}", ucp_get_version_string()); }

}  // namespace ulysses
