// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// What a process holds, to compare before and after.
#pragma once
#include <cstdint>
#include <set>
#include <string>

namespace ulysses::test {

struct Census {
  std::int64_t fds = 0;
  std::int64_t threads = 0;
  std::int64_t files = 0;     // mappings of files, segments of the library included
  std::int64_t mappings = 0;  // all lines of /proc/self/maps
};

Census takeCensus();

/// "" when descriptors and threads are what they were; waits a little for a thread of the library to end.
std::string changeSince(const Census& before);

/// Entries of /dev/shm and /tmp that a process of this library could have left. In a private mount namespace (see
/// ownTemporaryFolders) that is all of them, else those with "ulysses" in their name.
std::set<std::string> temporaryEntries();

/// Gives this process empty /dev/shm and /tmp of its own where it may, so that entries of other programs on this
/// machine do not count. Call before there is a thread.
void ownTemporaryFolders();

}  // namespace ulysses::test
