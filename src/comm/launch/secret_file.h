// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// The secret that ranks share by a file, where no launcher carries one for them.
#pragma once
#include <string>

#include "comm/bootstrap/unique_id.h"

namespace ulysses {

/// A key made of the file's bytes. Throws InvalidArgument: it is not there, not a plain file of this user, open to
/// others, or too short to be a secret.
Secret readSecretFile(const std::string& path);

}  // namespace ulysses
