// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "attention/request.h"

namespace ulysses::attention {

/// A hash of what ranks must agree on and no exchange compares: kind of call, options, the caller's own tag. Never 0.
uint64_t tagOf(const Request& request);

/// "none", or the hash of an array of one float a head.
std::string textOf(const float* values, int64_t count);

/// Whether the text of a Mismatch is about the tag.
bool namesTag(const std::string& text);

}  // namespace ulysses::attention
