// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// What containers do to a process, for ranks of a Team.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "fault/team.h"

namespace ulysses::test {

/// "" when this process may make namespaces of that kind (CLONE_NEW...), else why not.
std::string whyNotUnshare(int flags);

/// Runs `body` in new namespaces: in this process, with CLONE_NEWPID in a child, as whose number this process sees it
/// flag `pidFlag` is raised. A new user namespace maps this user to itself; a new mount namespace gets an empty
/// /dev/shm of its own. A child that was killed counts as one that ended well: the test killed it.
void inNamespaces(int flags, Rank& rank, int pidFlag, const Team::Body& body);

/// From here on these system calls fail with EPERM in this process, as a container's filter has it.
void denySystemCalls(const std::vector<int>& numbers);

}  // namespace ulysses::test
