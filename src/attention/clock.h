// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <chrono>

namespace ulysses::attention {

/// Adds the time of its life to a sum of microseconds.
class Spent {
 public:
  explicit Spent(double& sumUs) : sumUs_(sumUs), begin_(std::chrono::steady_clock::now()) {}
  Spent(const Spent&) = delete;
  Spent& operator=(const Spent&) = delete;
  ~Spent() { sumUs_ += std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - begin_).count(); }

 private:
  double& sumUs_;
  std::chrono::steady_clock::time_point begin_;
};

}  // namespace ulysses::attention
