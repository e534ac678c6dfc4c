// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Files that the library writes for the user: the log and the dump.
#pragma once
#include <string>
#include <string_view>

#include "base/unique_fd.h"

namespace ulysses {

/// What the places of a file name's pattern stand for.
struct FilePlaces {
  std::string_view host;
  int pid = 0;
  int rank = -1;               // -1: not known, %r stays as it is
  std::string_view comm = {};  // empty: likewise %c
};

/// %h host, %p pid, %r rank, %c communicator, %% a percent sign; anything else stays. Host and communicator are made
/// fit for a file name: what is not a letter, digit, '-', '_' or '.' becomes '_'.
std::string expandFileName(std::string_view pattern, const FilePlaces& places);

enum class Existing { Append, Replace };

/// Opens a file for writing, created with mode 0600; never through a symbolic link, a pipe or another user's file. On
/// failure the descriptor is empty and `problem` says why.
UniqueFd openOwnFile(const std::string& name, Existing existing, std::string& problem);

}  // namespace ulysses
