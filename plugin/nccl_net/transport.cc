// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "transport.h"

#include <map>
#include <mutex>

namespace ulysses::nccl {
std::shared_ptr<UcxContext> transportOf(const NetDevice& device) {
  static std::mutex mutex;
  static std::map<std::string, std::weak_ptr<UcxContext>> made;
  const std::lock_guard lock(mutex);
  std::weak_ptr<UcxContext>& known = made[device.name];
  std::shared_ptr<UcxContext> context = known.lock();
  if (!context) known = context = std::make_shared<UcxContext>(device.name.c_str());
  return context;
}

}  // namespace ulysses::nccl
