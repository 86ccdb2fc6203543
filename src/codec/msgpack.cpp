#include "codec/msgpack.h"

#include <bit>
#include <optional>

namespace dkron::codec {
namespace {

enum class Kind { Nil, Boolean, Unsigned, Signed, Real, Raw, Extension, List, Map };

// A value's first bytes. Numbers are in it whole; what follows the head of the others is a body of
// `body_bytes`, or `children` values.
struct Head {
  Kind kind = Kind::Nil;
  std::size_t head_bytes = 1;
  std::uint64_t bits = 0;  // Booleans and numbers; Real as a double.
  std::uint64_t body_bytes = 0;
  std::uint64_t children = 0;
};

enum class HeadStatus { Read, Short, Malformed };

// How the bytes c0 to df are laid out: a big-endian number of `value_bytes` behind the tag, which
// is the value itself or a length; `extra_body` bytes belong to the body besides.
struct Layout {
  Kind kind;
  std::uint8_t value_bytes;
  std::uint8_t extra_body;
};

constexpr Layout kLayouts[32] = {
    {Kind::Nil, 0, 0},        {Kind::Nil, 0, 0} /* c1: unused */,
    {Kind::Boolean, 0, 0},    {Kind::Boolean, 0, 0},
    {Kind::Raw, 1, 0},        {Kind::Raw, 2, 0},
    {Kind::Raw, 4, 0},        {Kind::Extension, 1, 1},
    {Kind::Extension, 2, 1},  {Kind::Extension, 4, 1},
    {Kind::Real, 4, 0},       {Kind::Real, 8, 0},
    {Kind::Unsigned, 1, 0},   {Kind::Unsigned, 2, 0},
    {Kind::Unsigned, 4, 0},   {Kind::Unsigned, 8, 0},
    {Kind::Signed, 1, 0},     {Kind::Signed, 2, 0},
    {Kind::Signed, 4, 0},     {Kind::Signed, 8, 0},
    {Kind::Extension, 0, 2},  {Kind::Extension, 0, 3},
    {Kind::Extension, 0, 5},  {Kind::Extension, 0, 9},
    {Kind::Extension, 0, 17}, {Kind::Raw, 1, 0},
    {Kind::Raw, 2, 0},        {Kind::Raw, 4, 0},
    {Kind::List, 2, 0},       {Kind::List, 4, 0},
    {Kind::Map, 2, 0},        {Kind::Map, 4, 0},
};

std::uint64_t sign_extend(std::uint64_t value, int value_bytes) {
  const int unused_bits = 64 - 8 * value_bytes;
  return static_cast<std::uint64_t>(static_cast<std::int64_t>(value << unused_bits) >> unused_bits);
}

std::uint64_t real_bits(std::uint64_t value, int value_bytes) {
  if (value_bytes == 8) return value;
  const float narrow = std::bit_cast<float>(static_cast<std::uint32_t>(value));
  return std::bit_cast<std::uint64_t>(static_cast<double>(narrow));
}

void set_value(Head& head, std::uint64_t value, const Layout& layout) {
  switch (head.kind) {
    case Kind::Nil: break;
    case Kind::Boolean:
    case Kind::Unsigned: head.bits = value; break;
    case Kind::Signed: head.bits = sign_extend(value, layout.value_bytes); break;
    case Kind::Real: head.bits = real_bits(value, layout.value_bytes); break;
    case Kind::Raw:
    case Kind::Extension: head.body_bytes = value + layout.extra_body; break;
    case Kind::List: head.children = value; break;
    case Kind::Map: head.children = 2 * value; break;
  }
}

// The forms whose value is in the first byte itself.
std::optional<Head> one_byte_head(std::uint8_t tag) {
  Head head;
  if (tag < 0x80) {
    head.kind = Kind::Unsigned;
    head.bits = tag;
  } else if (tag < 0x90) {
    head.kind = Kind::Map;
    head.children = 2 * std::uint64_t{tag & 0x0fu};
  } else if (tag < 0xa0) {
    head.kind = Kind::List;
    head.children = tag & 0x0fu;
  } else if (tag < 0xc0) {
    head.kind = Kind::Raw;
    head.body_bytes = tag & 0x1fu;
  } else if (tag >= 0xe0) {
    head.kind = Kind::Signed;
    head.bits = sign_extend(tag, 1);
  } else {
    return std::nullopt;
  }
  return head;
}

HeadStatus read_head(std::string_view bytes, Head& head) {
  if (bytes.empty()) return HeadStatus::Short;
  const auto tag = static_cast<std::uint8_t>(bytes[0]);
  if (const auto small = one_byte_head(tag)) {
    head = *small;
    return HeadStatus::Read;
  }
  if (tag == 0xc1) return HeadStatus::Malformed;
  const Layout& layout = kLayouts[tag - 0xc0];
  head.kind = layout.kind;
  head.head_bytes = 1 + std::size_t{layout.value_bytes};
  if (bytes.size() < head.head_bytes) return HeadStatus::Short;
  std::uint64_t value = tag == 0xc3 ? 1 : 0;
  for (std::size_t i = 1; i < head.head_bytes; ++i) {
    value = value << 8 | static_cast<std::uint8_t>(bytes[i]);
  }
  set_value(head, value, layout);
  return HeadStatus::Read;
}

}  // namespace

// --- Writing ---------------------------------------------------------------------------------

void MsgpackWriter::head(std::uint8_t tag, std::uint64_t value, int value_bytes) {
  out_.push_back(static_cast<char>(tag));
  for (int shift = 8 * (value_bytes - 1); shift >= 0; shift -= 8) {
    out_.push_back(static_cast<char>(value >> shift));
  }
}

void MsgpackWriter::nil() {
  head(0xc0, 0, 0);
}

void MsgpackWriter::boolean(bool value) {
  head(value ? 0xc3 : 0xc2, 0, 0);
}

void MsgpackWriter::unsigned_number(std::uint64_t value) {
  if (value < 0x80) return head(static_cast<std::uint8_t>(value), 0, 0);
  if (value <= 0xff) return head(0xcc, value, 1);
  if (value <= 0xffff) return head(0xcd, value, 2);
  if (value <= 0xffff'ffff) return head(0xce, value, 4);
  head(0xcf, value, 8);
}

void MsgpackWriter::signed_number(std::int64_t value) {
  const auto bits = static_cast<std::uint64_t>(value);
  if (value >= -32 && value <= 127) return head(static_cast<std::uint8_t>(bits), 0, 0);
  if (value >= INT8_MIN && value <= INT8_MAX) return head(0xd0, bits, 1);
  if (value >= INT16_MIN && value <= INT16_MAX) return head(0xd1, bits, 2);
  if (value >= INT32_MIN && value <= INT32_MAX) return head(0xd2, bits, 4);
  head(0xd3, bits, 8);
}

void MsgpackWriter::real(double value) {
  head(0xcb, std::bit_cast<std::uint64_t>(value), 8);
}

void MsgpackWriter::raw(std::string_view bytes) {
  const std::size_t size = bytes.size();
  if (size < 32) {
    head(static_cast<std::uint8_t>(0xa0 + size), 0, 0);
  } else if (size <= 0xffff) {
    head(0xda, size, 2);
  } else {
    head(0xdb, size, 4);
  }
  out_.append(bytes);
}

void MsgpackWriter::raw_or_nil(std::string_view bytes) {
  if (bytes.empty()) {
    nil();
  } else {
    raw(bytes);
  }
}

void MsgpackWriter::map(std::size_t entries) {
  if (entries < 16) return head(static_cast<std::uint8_t>(0x80 + entries), 0, 0);
  if (entries <= 0xffff) return head(0xde, entries, 2);
  head(0xdf, entries, 4);
}

void MsgpackWriter::list(std::size_t elements) {
  if (elements < 16) return head(static_cast<std::uint8_t>(0x90 + elements), 0, 0);
  if (elements <= 0xffff) return head(0xdc, elements, 2);
  head(0xdd, elements, 4);
}

// --- Reading ---------------------------------------------------------------------------------

struct MsgpackReader::Number {
  Kind kind = Kind::Nil;
  std::uint64_t bits = 0;
};

void MsgpackReader::fail(bool is_short) {
  if (!failed_) short_input_ = is_short;
  failed_ = true;
}

// Nil, booleans and numbers; anything else, and any error, is Nil of a reader that has failed.
MsgpackReader::Number MsgpackReader::number() {
  Head head;
  if (failed_) return {};
  const HeadStatus status = read_head(rest(), head);
  if (status != HeadStatus::Read || head.body_bytes > 0 || head.kind >= Kind::Raw) {
    fail(status == HeadStatus::Short);
    return {};
  }
  position_ += head.head_bytes;
  return {head.kind, head.bits};
}

std::uint64_t MsgpackReader::unsigned_number(std::uint64_t max) {
  const Number read = number();
  const bool is_negative = read.kind == Kind::Signed && static_cast<std::int64_t>(read.bits) < 0;
  if (read.kind == Kind::Boolean || read.kind == Kind::Real || is_negative || read.bits > max) {
    fail(false);
    return 0;
  }
  return read.bits;
}

std::int64_t MsgpackReader::signed_number() {
  const Number read = number();
  const bool is_too_large = read.kind == Kind::Unsigned && read.bits > INT64_MAX;
  if (read.kind == Kind::Boolean || read.kind == Kind::Real || is_too_large) {
    fail(false);
    return 0;
  }
  return static_cast<std::int64_t>(read.bits);
}

double MsgpackReader::real() {
  const Number read = number();
  switch (read.kind) {
    case Kind::Real: return std::bit_cast<double>(read.bits);
    case Kind::Signed: return static_cast<double>(static_cast<std::int64_t>(read.bits));
    case Kind::Boolean: fail(false); return 0;
    default: return static_cast<double>(read.bits);
  }
}

bool MsgpackReader::boolean() {
  const Number read = number();
  if (read.kind == Kind::Real || read.bits > 1) {
    fail(false);
    return false;
  }
  return read.bits == 1;
}

std::string_view MsgpackReader::raw() {
  Head head;
  if (failed_) return {};
  const HeadStatus status = read_head(rest(), head);
  if (status == HeadStatus::Read && head.kind == Kind::Nil) {
    ++position_;
    return {};
  }
  if (status != HeadStatus::Read || head.kind != Kind::Raw) {
    fail(status == HeadStatus::Short);
    return {};
  }
  const std::string_view behind = rest().substr(head.head_bytes);
  if (head.body_bytes > behind.size()) {
    fail(true);
    return {};
  }
  const auto size = static_cast<std::size_t>(head.body_bytes);
  position_ += head.head_bytes + size;
  return behind.substr(0, size);
}

std::string MsgpackReader::bytes() {
  if (!next_is_list()) return std::string(raw());
  std::string read;
  const std::size_t elements = list();
  for (std::size_t i = 0; i < elements && !failed_; ++i) {
    read.push_back(static_cast<char>(unsigned_number(0xff)));
  }
  return failed_ ? std::string() : read;
}

namespace {

// The number of `bytes`' children when it is a container of `kind` (or nil) that can be whole.
std::optional<std::size_t> container(std::string_view bytes, Kind kind, std::size_t* head_bytes,
                                     bool* is_short) {
  Head head;
  const HeadStatus status = read_head(bytes, head);
  *is_short = status == HeadStatus::Short;
  if (status != HeadStatus::Read) return std::nullopt;
  if (head.kind != kind && head.kind != Kind::Nil) return std::nullopt;
  *is_short = head.children > bytes.size() - head.head_bytes;
  if (*is_short) return std::nullopt;
  *head_bytes = head.head_bytes;
  return static_cast<std::size_t>(head.children);
}

}  // namespace

std::size_t MsgpackReader::map() {
  std::size_t head_bytes = 0;
  bool is_short = false;
  if (failed_) return 0;
  const auto children = container(rest(), Kind::Map, &head_bytes, &is_short);
  if (!children) fail(is_short);
  position_ += head_bytes;
  return children.value_or(0) / 2;
}

std::size_t MsgpackReader::list() {
  std::size_t head_bytes = 0;
  bool is_short = false;
  if (failed_) return 0;
  const auto children = container(rest(), Kind::List, &head_bytes, &is_short);
  if (!children) fail(is_short);
  position_ += head_bytes;
  return children.value_or(0);
}

bool MsgpackReader::next_is_nil() const {
  return !failed_ && !rest().empty() && static_cast<std::uint8_t>(rest()[0]) == 0xc0;
}

bool MsgpackReader::next_is_list() const {
  Head head;
  return !failed_ && read_head(rest(), head) == HeadStatus::Read && head.kind == Kind::List;
}

void MsgpackReader::skip() {
  if (failed_) return;
  MsgpackScanner scanner;
  const auto status = scanner.scan(rest());
  if (status != MsgpackScanner::Status::Complete) {
    return fail(status == MsgpackScanner::Status::NeedsMore);
  }
  position_ += scanner.size_bytes();
}

// --- Scanning --------------------------------------------------------------------------------

MsgpackScanner::Status MsgpackScanner::scan(std::string_view bytes) {
  while (true) {
    while (depth_ >= 0 && expected_[static_cast<std::size_t>(depth_)] == 0) --depth_;
    if (position_ > bytes.size()) return Status::NeedsMore;  // Inside a body.
    if (depth_ < 0) return Status::Complete;
    Head head;
    switch (read_head(bytes.substr(position_), head)) {
      case HeadStatus::Short: return Status::NeedsMore;
      case HeadStatus::Malformed: return Status::Malformed;
      case HeadStatus::Read: break;
    }
    position_ += head.head_bytes + static_cast<std::size_t>(head.body_bytes);
    --expected_[static_cast<std::size_t>(depth_)];
    if (head.kind != Kind::List && head.kind != Kind::Map) continue;
    if (depth_ == kMaxMsgpackDepth) return Status::Malformed;
    expected_[static_cast<std::size_t>(++depth_)] = head.children;
  }
}

}  // namespace dkron::codec
