// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "support/own_host.h"

#include <cstdlib>
#include <stdexcept>
#include <string>

namespace ulysses::test {

int ranksPerHost() {
  const char* text = std::getenv("ULYSSES_TEST_RANKS_PER_HOST");
  if (!text) return 0;
  const int perHost = std::atoi(text);
  if (perHost < 1) throw std::invalid_argument(std::string("ULYSSES_TEST_RANKS_PER_HOST=") + text);
  return perHost;
}

void enterHost(int rank) {
  if (const int perHost = ranksPerHost(); perHost > 0)
    setenv("ULYSSES_HOST_ID", ("test-host" + std::to_string(rank / perHost)).c_str(), 1);
}

}  // namespace ulysses::test
