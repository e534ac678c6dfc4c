// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// What a welcomed rank sends to the rendezvous. Byte 0 of the input: in pieces of how many bytes it comes. Then
// records, each: a byte that says how its magic is (0 Contact, 1 Report, else as it comes), one of how many bytes of it
// follow in the input, and these; zeros behind them. However it is cut, the same records come out.
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "comm/bootstrap/mail.h"

using namespace ulysses;

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

using Stream = std::vector<std::byte>;

Stream streamOf(Bytes input) {
  Stream stream;
  while (input.size() >= 2) {
    const auto kind = static_cast<unsigned>(input[0]);
    const Bytes content = input.subspan(2).first(std::min(input.size() - 2, static_cast<std::size_t>(input[1])));
    input = input.subspan(2 + content.size());
    const std::size_t at = stream.size();
    if (kind > 1) {
      stream.insert(stream.end(), content.begin(), content.end());
      continue;
    }
    const std::uint64_t magic = kind == 0 ? Contact::kMagic : Report::kMagic;
    stream.resize(at + (kind == 0 ? sizeof(Contact) : sizeof(Report)));
    std::memcpy(stream.data() + at, &magic, sizeof magic);
    std::ranges::copy(content, stream.begin() + static_cast<std::ptrdiff_t>(at + sizeof magic));
  }
  return stream;
}

template <typename T>
void requireSame(const T& record, Bytes& stream) {
  require(stream.size() >= sizeof record && std::memcmp(&record, stream.data(), sizeof record) == 0);
  stream = stream.subspan(sizeof record);
}

bool startsWith(Bytes stream, std::uint64_t magic) {
  return stream.size() >= sizeof magic && std::memcmp(stream.data(), &magic, sizeof magic) == 0;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1) return 0;
  const std::size_t step = data[0] + std::size_t{1};
  const Stream stream = streamOf(std::as_bytes(std::span(data, size)).subspan(1));
  Bytes said = stream, heard = stream;  // what is still to be said, and what no record was made of yet
  Mail mail;
  while (!said.empty()) {
    const std::span<std::byte> room = mail.room();
    require(!room.empty());
    const std::size_t count = std::min({step, said.size(), room.size()});
    std::memcpy(room.data(), said.data(), count);
    said = said.subspan(count);
    switch (mail.received(count)) {
      case Mail::Event::More:
        require(heard.size() - said.size() < sizeof(Contact));
        break;
      case Mail::Event::Contact:
        requireSame(mail.contact(), heard);
        require(heard.size() == said.size());
        break;
      case Mail::Event::Report:
        requireSame(mail.report(), heard);
        require(heard.size() == said.size());
        break;
      case Mail::Event::Stranger:
        require(!startsWith(heard, Contact::kMagic) && !startsWith(heard, Report::kMagic));
        return 0;
    }
  }
  return 0;
}
