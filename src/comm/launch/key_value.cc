// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "comm/launch/key_value.h"

#include "base/check.h"
#include "comm/launch/pmi.h"
#include "comm/launch/pmix.h"

namespace ulysses {
namespace {

KeyValue& pmiKeyValue(Deadline deadline) {
  static Pmi instance(Pmi::socketFromEnvironment(), deadline);
  return instance;
}

}  // namespace

KeyValue& keyValueOf(const Launcher& launcher, Deadline deadline) {
  if (launcher.store == Store::Pmi) return pmiKeyValue(deadline);
  if (launcher.store == Store::Pmix) return pmixKeyValue(deadline);
  raise(Result::InternalError, "{} has no key-value store", launcher.name);
}

}  // namespace ulysses
