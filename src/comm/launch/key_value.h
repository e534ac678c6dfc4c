// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Where rank 0 leaves a text for the others, at the launcher. Keys and values are words: letters, digits, '-'.
#pragma once
#include <memory>
#include <string>

#include "base/clock.h"
#include "comm/launch/launcher.h"

namespace ulysses {

/// Of each key, rank 0 publishes and every other rank looks up, once, in the same order of keys: some launchers make a
/// barrier of it. One user at a time.
class KeyValue {
 public:
  virtual ~KeyValue() = default;
  /// Throw SystemError, and Timeout at the deadline.
  virtual void publish(const std::string& key, const std::string& value, Deadline deadline) = 0;
  virtual std::string lookUp(const std::string& key, Deadline deadline) = 0;
};

/// This process's connection to its launcher, made at the first call and kept until the process exits, when the
/// launcher is told that it ends well. Throws InvalidArgument, SystemError, NotSupported, Timeout.
KeyValue& keyValueOf(const Launcher& launcher, Deadline deadline);

}  // namespace ulysses
