// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <memory>

#include "comm/communicator.h"
#include "comm/launch/launcher.h"

namespace ulysses {

/// As findLauncher, with InvalidUsage that lists the variables when nothing started this process as a rank.
Launcher requireLauncher();

/// Joins the next communicator of all processes of this launcher: the n-th call of a process meets the n-th calls of
/// the others, also when it fails. Calls of several threads go one after another. Throws Error.
std::unique_ptr<Communicator> createLaunched(Settings settings);

}  // namespace ulysses
