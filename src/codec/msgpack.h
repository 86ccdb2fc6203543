// Msgpack as the go-msgpack library of the reference writes and reads it ("old" specification).
//
// Writing is exact: one family of raw for text and bytes (fixraw, da, db), smallest unsigned form
// for unsigned numbers, fixint or signed form (d1, d2, d3) for signed ones; maps of structures have
// their keys sorted by the caller. Reading is liberal: every form of a number that fits, every raw
// and bin form, nil for zero, unknown values skipped whole. Nothing is allocated from a length
// alone, nesting is bounded by kMaxMsgpackDepth. Rules and vectors: the gossip specification,
// section 2. Free of threads.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"

namespace dkron::codec {

// Lists and maps inside each other.
inline constexpr int kMaxMsgpackDepth = 16;

class MsgpackWriter {
 public:
  // Appends to `out`, which outlives the writer.
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
  void head(std::uint8_t tag, std::uint64_t value, int value_bytes);

  std::string& out_;
};

// Reads values one after the other from bytes that it does not own. The first error sticks: later
// reads return zero values, and failed() tells. `short_input()` says whether more bytes could have
// helped.
class MsgpackReader {
 public:
  static constexpr int kMaxDepth = kMaxMsgpackDepth;

  explicit MsgpackReader(std::string_view bytes) : bytes_(bytes) {}

  std::uint64_t unsigned_number(std::uint64_t max);  // Nil is 0; a larger or negative value fails.
  std::int64_t signed_number();                      // Nil is 0; integers only.
  double real();                                     // Any number; nil is 0.
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
  struct Number;
  Number number();
  void fail(bool is_short);

  std::string_view bytes_;
  std::size_t position_ = 0;
  bool failed_ = false;
  bool short_input_ = false;
};

// Finds where a value ends in bytes that arrive piece by piece. Looks at every head once and at
// bodies never, so that a whole value costs time linear in its size however small the pieces are.
class MsgpackScanner {
 public:
  enum class Status { NeedsMore, Complete, Malformed };

  // `bytes` begins with the value, and with every call holds at least what it held before.
  Status scan(std::string_view bytes);
  // Of the whole value, once it is complete.
  std::size_t size_bytes() const { return position_; }

 private:
  std::size_t position_ = 0;  // Of the next head; may lie beyond the bytes so far.
  std::array<std::uint64_t, kMaxMsgpackDepth + 1> expected_{1};  // Values to come, by depth.
  int depth_ = 0;
};

}  // namespace dkron::codec
