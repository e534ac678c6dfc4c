// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Small files of the kernel's, as sysfs has them.
#pragma once
#include <algorithm>
#include <charconv>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

namespace ulysses::sysfs {

/// "" when there is none.
inline std::string firstLine(const std::filesystem::path& file) {
  std::ifstream stream(file);
  std::string line;
  std::getline(stream, line);
  return line;
}

/// The number that a text starts with; `fallback` without one, or when it is not positive.
inline int64_t leadingNumber(std::string_view text, int64_t fallback) {
  int64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number > 0 ? number : fallback;
}

/// What a folder holds, in order; nothing when there is none.
inline std::vector<std::string> namesIn(const std::filesystem::path& folder) {
  std::vector<std::string> names;
  std::error_code none;
  for (const std::filesystem::directory_entry& entry : std::filesystem::directory_iterator(folder, none))
    names.push_back(entry.path().filename());
  std::ranges::sort(names);
  return names;
}

/// The folder of the PCI function ("0000:3b:00.1") that a device is, or is behind (as "virtio0" is); empty when there
/// is none.
inline std::filesystem::path pciFunctionOf(const std::filesystem::path& device) {
  const auto isPciFunction = [](const std::string& name) {
    return name.size() == 12 && name[4] == ':' && name[7] == ':' && name[10] == '.';
  };
  std::error_code none;
  for (std::filesystem::path path = std::filesystem::canonical(device, none); path.has_relative_path();
       path = path.parent_path())
    if (isPciFunction(path.filename())) return path;
  return {};
}

}  // namespace ulysses::sysfs
