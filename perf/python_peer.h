// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace ulysses::perf {

// A Python program that measures something on command: it prints "ready", or why it cannot; for each "go N" on its
// standard input it measures N iterations and prints one line. It ends with its standard input.
class PythonPeer {
 public:
  explicit PythonPeer(const std::vector<std::string>& command);
  PythonPeer(PythonPeer&& other) noexcept;
  PythonPeer& operator=(PythonPeer&&) = delete;
  ~PythonPeer();

  // "" when it is ready; else why not.
  std::string waitReady();
  // The line that it answers. Throws RunError when it does not.
  std::string measure(int iterations);

 private:
  std::string readLine(int timeoutS);  // throws RunError

  pid_t pid_ = -1;
  int input_ = -1, output_ = -1;
  std::string buffered_;
};

}  // namespace ulysses::perf
