// For the messages' codecs: structures as msgpack maps, field by field.
//
// Internal to gossip. Rules of reading: keys in any order, unknown ones skipped whole, of a key
// that comes twice the last counts, missing ones leave the field as it is.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <type_traits>

#include "base/error.h"
#include "codec/msgpack.h"
#include "gossip/address.h"
#include "gossip/messages.h"

namespace dkron::gossip {

using codec::MsgpackReader;
using codec::MsgpackWriter;

// A structure's map, keys and values; the caller keeps the keys sorted and counts them right.
class FieldWriter {
 public:
  FieldWriter(std::string& out, std::size_t fields) : out_(out) { out_.map(fields); }

  void number(std::string_view key, std::uint64_t value) { at(key).unsigned_number(value); }
  void signed_number(std::string_view key, std::int64_t value) { at(key).signed_number(value); }
  void boolean(std::string_view key, bool value) { at(key).boolean(value); }
  void real(std::string_view key, double value) { at(key).real(value); }
  void raw(std::string_view key, std::string_view value) { at(key).raw(value); }
  void raw_or_nil(std::string_view key, std::string_view value) { at(key).raw_or_nil(value); }
  // For values with a structure of their own, which follow.
  MsgpackWriter& at(std::string_view key) {
    out_.raw(key);
    return out_;
  }

 private:
  MsgpackWriter out_;
};

// Calls on_field(key) for every entry of the map at the reader's place; it reads the value and
// returns true, or leaves it there and returns false.
template <class OnField>
void read_fields(MsgpackReader& in, OnField&& on_field) {
  const std::size_t fields = in.map();
  for (std::size_t i = 0; i < fields && !in.failed(); ++i) {
    const std::string_view key = in.raw();
    if (!on_field(key)) in.skip();
  }
}

template <class Integer>
bool read_number(MsgpackReader& in, Integer& out) {
  static_assert(std::is_unsigned_v<Integer>);
  out = static_cast<Integer>(in.unsigned_number(std::numeric_limits<Integer>::max()));
  return true;
}
inline bool read_signed(MsgpackReader& in, std::int64_t& out) {
  out = in.signed_number();
  return true;
}
inline bool read_boolean(MsgpackReader& in, bool& out) {
  out = in.boolean();
  return true;
}
inline bool read_text(MsgpackReader& in, std::string& out) {
  out = in.raw();
  return true;
}
inline bool read_bytes(MsgpackReader& in, std::string& out) {
  out = in.bytes();
  return true;
}
// An address of a wrong size is noted in `is_sane`.
bool read_ip(MsgpackReader& in, Ip& out, bool& is_sane);

std::string_view as_bytes(const Versions& versions, std::array<char, 6>& buffer);
// Nothing when there are not exactly six.
std::optional<Versions> versions_from(std::string_view bytes);

// Of a structure called `what`: nothing when it was read, else why not.
Result<> read_result(const MsgpackReader& in, std::string_view what, bool is_sane = true);

// Splits the type byte off; Corrupt when there is none or another.
Result<std::string_view> body_of(std::string_view bytes, std::uint8_t type, std::string_view what);

}  // namespace dkron::gossip
