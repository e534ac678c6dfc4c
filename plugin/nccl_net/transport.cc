// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "transport.h"

#include <map>
#include <mutex>

#include "base/check.h"
#include "base/log.h"
#include "pointers.h"

namespace ulysses::nccl {
namespace {

uint64_t askMemoryTypes(const NetDevice& device) {
  try {
    return transportOf(device)->memoryTypes();
  } catch (const Error& error) {
    log::info(log::Subsystem::Init, "{}: {}", device.name, error.what());
    return 0;
  }
}

}  // namespace

std::shared_ptr<UcxContext> transportOf(const NetDevice& device) {
  static std::mutex mutex;
  static std::map<std::string, std::weak_ptr<UcxContext>> made;
  const std::lock_guard lock(mutex);
  std::weak_ptr<UcxContext>& known = made[device.name];
  std::shared_ptr<UcxContext> context = known.lock();
  if (!context) known = context = std::make_shared<UcxContext>(device.name.c_str());
  return context;
}

int pointersOf(const NetDevice& device) {
  static std::mutex mutex;
  static std::map<std::string, int> asked;
  const std::lock_guard lock(mutex);
  const auto [at, isNew] = asked.try_emplace(device.name, kPointerHost);
  if (isNew) at->second = pointersOf(askMemoryTypes(device), device.isAdapter ? Reach::ByAdapter : Reach::ByCopies);
  return at->second;
}

}  // namespace ulysses::nccl
