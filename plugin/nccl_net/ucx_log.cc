// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "ucx_log.h"

#include <algorithm>
#include <cstdio>
#include <mutex>
#include <string_view>

#include "base/log.h"
#include "path/ucx/library.h"

namespace ulysses::nccl {
namespace {

ucs_log_func_rc_t onMessage(const char*, unsigned, const char*, ucs_log_level_t, const ucs_log_component_config_t*,
                            const char* format, va_list arguments) {
  if (!InPlugin::now()) return UCS_LOG_FUNC_RC_CONTINUE;
  char line[512];
  vsnprintf(line, sizeof line, format, arguments);
  const std::string_view text = line;
  log::info(log::Subsystem::Path, "UCX says: {}", text.substr(std::min(text.find_first_not_of(' '), text.size())));
  return UCS_LOG_FUNC_RC_STOP;
}

}  // namespace

thread_local int InPlugin::depth_ = 0;

void takeUcxLog() {
  static std::once_flag once;
  std::call_once(once, [] { UcxLibrary::get().ucs_log_push_handler(onMessage); });
}

}  // namespace ulysses::nccl
