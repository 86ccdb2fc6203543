// Msgpack as the go-msgpack library of the reference writes and reads it ("old" specification).
//
// Writing is exact: one family of raw for text and bytes (fixraw, da, db), smallest unsigned form
// for unsigned numbers, fixint or signed form (d1, d2, d3) for signed ones; maps of structures have
// their keys sorted by the caller. Reading is liberal: every form of a number that fits, every raw
// and bin form, nil for zero, unknown values skipped whole. Nothing is allocated from a length
// alone, nesting is bounded by kMaxDepth. Rules and vectors: the gossip specification, section 2.
// Free of threads.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"

namespace dkron::codec {

class MsgpackWriter {
 public:
  explicit MsgpackWriter(std::string& out) : out_(out) {}
  void nil();
  void boolean(bool value);
  void unsigned_number(std::uint64_t value);
  void signed_number(std::int64_t value);
  void real(double value);
  void raw(std::string_view bytes);         // Text and bytes; empty is a0.
  void raw_or_nil(std::string_view bytes);  // Empty is nil: how an absent byte string is sent.
  void map(std::size_t entries);            // Then key, value, key, value ...
  void list(std::size_t elements);

 private:
  std::string& out_;
};

// Reads values one after the other from bytes that it does not own. The first error sticks: later
// reads return zero values, and failed() tells. `short_input()` says whether more bytes could have
// helped, which is how a stream is read as it arrives.
class MsgpackReader {
 public:
  static constexpr int kMaxDepth = 16;

  explicit MsgpackReader(std::string_view bytes) : bytes_(bytes) {}

  std::uint64_t unsigned_number(std::uint64_t max);  // Nil is 0; a larger or negative value fails.
  std::int64_t signed_number();                      // Nil is 0; integers only.
  double real();                                     // Any number.
  bool boolean();                                    // Also 0 and 1; nil is false.
  std::string_view raw();                            // Any raw or bin form; nil is empty.
  // Byte strings may also arrive as a list of small numbers; copies.
  std::string bytes();
  // Entries or elements, each bounded by what remains (an entry has two bytes at least). Nil is 0.
  std::size_t map();
  std::size_t list();
  bool next_is_nil() const;
  bool next_is_list() const;
  void skip();  // One value, nested ones whole.

  bool failed() const { return failed_; }
  bool short_input() const { return short_input_; }
  std::size_t position() const { return position_; }
  std::string_view rest() const { return bytes_.substr(position_); }

 private:
  void skip(int depth);
  bool take(std::size_t size_bytes, std::string_view& out);
  void fail(bool is_short);

  std::string_view bytes_;
  std::size_t position_ = 0;
  bool failed_ = false;
  bool short_input_ = false;
};

}  // namespace dkron::codec
